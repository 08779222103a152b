#pragma once
// What one rank did in some steps, as a trace that chrome://tracing and
// Perfetto open: phases and pieces on the row of the thread that computes,
// buckets and operations on the rows of the threads that communicate.
//
// It is fed through the flight recorder (FlightRecorder::set_trace).

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "dist/recorder/phase.h"

namespace sono {

class StepTrace {
 public:
  StepTrace(int rank, std::string host) : rank_(rank), host_(std::move(host)) {}

  // Times are nanoseconds of CLOCK_MONOTONIC. Any thread may call these, each
  // with slices of its own row, which lie side by side or inside each other.
  void add(std::string_view category, std::string_view name,
           std::int64_t begin_ns, std::int64_t end_ns,
           const nlohmann::json& args = nullptr);
  // The row of the calling thread is called so from now on.
  void name_row(const std::string& name);
  // The thread that computes enters a phase, which ends the one before.
  void enter_phase(Phase phase, std::int64_t step, std::int64_t now_ns);
  void end_phase(std::int64_t now_ns);
  // A slice begins or ends here: on the row with the phases it cuts the phase
  // in two, so that neither reaches over the other's end.
  void cut_phase(std::int64_t now_ns);

  // The JSON object format; `anchor_ns` is the wall clock's nanoseconds since
  // 1970 less CLOCK_MONOTONIC's, so that ranks' files lie side by side.
  std::string json(std::int64_t anchor_ns) const;

 private:
  struct Slice {
    std::string category, name;
    std::int64_t begin_ns, end_ns;
    nlohmann::json args;
    int row;
  };
  int row_of_thread();  // mutex held

  const int rank_;
  const std::string host_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<Slice> slices_;
  std::map<std::uint64_t, int> rows_;  // by the kernel's thread number
  std::map<int, std::string> row_names_;
  Phase phase_ = Phase::kStage;
  std::int64_t phase_step_ = 0;
  std::int64_t phase_begin_ns_ = 0;  // 0: no phase yet
  int phase_row_ = -1;
};

}  // namespace sono
