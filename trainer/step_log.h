#pragma once
// What people and machines are told about training steps; rank 0 speaks.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "core/event_file.h"
#include "core/json_lines.h"
#include "core/progress.h"
#include "dist/communicator.h"
#include "trainer/step_times.h"
#include "trainer/telemetry.h"
#include "trainer/train_config.h"

namespace sono {

struct StepOutcome {
  double loss;
  double norm;  // of the gradient, before clipping
  double learning_rate;
  bool stop;            // some rank wants to stop; the same on all ranks
  Straggler straggler;  // of the step before
  // Of this rank, by StepTimes::Phase.
  std::array<double, RankReport::kNumTimes> seconds = {};
  std::int64_t skipped = 0;  // steps without an update so far
};

class StepLog {
 public:
  // Ranks whose own work takes this many times the median's are named.
  static constexpr double kSlow = 1.2;

  // `log` may be null; `done` steps were done by earlier starts. All ranks must
  // call.
  StepLog(Communicator& comm, const TrainConfig& config, JsonLines* log,
          const std::string& label, const Telemetry& telemetry = {},
          std::int64_t done = 0);

  // `done` steps are done, counted from 1. Returns the seconds since the call
  // before, or since this was made.
  double add(std::int64_t done, const StepOutcome& step);
  void finish() { progress_.finish(); }

 private:
  using Clock = std::chrono::steady_clock;
  std::string note(const StepOutcome& step) const;
  // The line of log.jsonl.
  nlohmann::json line(std::int64_t done, const StepOutcome& step,
                      double seconds) const;
  void open_events(const Telemetry& telemetry, std::int64_t done);
  void show_events(const nlohmann::json& line);
  void show_metrics(std::int64_t done, const StepOutcome& step, double seconds);
  void count_step(const StepOutcome& step, double seconds);

  JsonLines* log_;
  std::int64_t batch_size_;
  std::string label_;
  std::vector<std::string> hosts_;  // by rank
  Progress progress_;
  std::int64_t steps_;
  std::optional<EventFile> events_;
  MetricsFile* metrics_;
  std::int64_t skipped_ = 0;
  Clock::time_point last_ = Clock::now();
};

}  // namespace sono
