#pragma once
// What is known of one rank from its recording or its status.

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "dist/recorder/phase.h"
#include "dist/recorder/ring_format.h"

namespace sono {

struct RecordedOperation {
  std::string group;
  std::string name;
  std::uint64_t sequence = 0;
  std::uint64_t bytes = 0;
  std::uint64_t even_bytes = 0;
  std::int64_t step = 0;
  int bucket = -1;
  Phase phase = Phase::kStage;
  bool done = false;
  double begun = 0;  // seconds since 1970
  double ended = 0;
};

struct RankView {
  int rank = 0;
  int world_size = 0;
  int local_rank = -1;
  std::int64_t pid = 0;
  std::string host, job, device, build;
  std::filesystem::path ring;
  std::filesystem::path shared_folder;  // from a ring only
  RingEnd end = RingEnd::kRunning;
  std::uint64_t beat = 0;     // moves while the rank's watchdog runs
  double beat_time = 0;       // of the last one, seconds since 1970
  double step_deadline = 60;  // seconds
  std::vector<int> awaited;   // ranks whose data a long wait lacks
  std::uint64_t progress = 0;
  Phase phase = Phase::kStage;
  std::int64_t step = 0;
  double phase_since = 0;    // seconds since 1970
  double progress_time = 0;  // of the last sign of progress
  double seen = 0;           // when this was read (ring) or written (status)
  // Of the process, where it can be asked: "running", "gone" or "stopped".
  std::string process;
  // The last operation that the rank entered, by group.
  std::map<std::string, RecordedOperation> last;
  // All that the ring still holds, oldest first; empty from a status.
  std::vector<RecordedOperation> operations;

  // Entered and not done; the newest when there are several.
  const RecordedOperation* waiting() const;
};

nlohmann::json to_json(const RankView& view);
// Throws nlohmann::json::exception on missing fields.
RankView rank_view_from(const nlohmann::json& json);

}  // namespace sono
