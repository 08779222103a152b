#pragma once
// How far a run has come, from what lies in its folder: any process that sees
// the folder may look, on any host, beside the run or after it.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/plan/plan.h"
#include "launch/status/step_history.h"

namespace sono {

struct StageProgress {
  std::string name;
  Work work = Work::kCheck;
  bool begun = false;
  bool finished = false;
  std::int64_t done = 0, total = 0;  // steps, pairs or cells
  std::string unit;                  // empty: it is not counted
  double seconds_each = 0;           // measured; 0: not known
};

// The plan's stages. Where a stage was done with several sets of options, the
// newest folder of its name counts.
std::vector<StageProgress> look_at_stages(const std::filesystem::path& run,
                                          const Recipe& recipe,
                                          const Plan& plan,
                                          const StepHistory& history);

// Seconds of work that is left, at the rates measured; none while a kind of
// work that takes long has no rate yet: then `unknown` names it.
struct TimeLeft {
  std::optional<double> seconds;
  std::string unknown;
};
TimeLeft time_left(const std::vector<StageProgress>& stages);

// One word that differs whenever work was done or saved in between: finished
// stages, steps of checkpoints, shards, cells, cached bytes.
std::string progress_mark(const std::filesystem::path& run);

}  // namespace sono
