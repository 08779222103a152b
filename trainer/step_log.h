#pragma once
// What people and machines are told about training steps; rank 0 speaks.

#include <chrono>
#include <cstdint>
#include <string>

#include "core/json_lines.h"
#include "core/progress.h"
#include "dist/communicator.h"
#include "trainer/step_times.h"
#include "trainer/train_config.h"

namespace sono {

struct StepOutcome {
  double loss;
  double norm;  // of the gradient, before clipping
  double learning_rate;
  bool stop;            // some rank wants to stop; the same on all ranks
  Straggler straggler;  // of the step before
};

class StepLog {
 public:
  // Ranks whose own work takes this many times the median's are named.
  static constexpr double kSlow = 1.2;

  // `log` may be null. All ranks must call.
  StepLog(Communicator& comm, const TrainConfig& config, JsonLines* log,
          const std::string& label);

  // `done` steps are done, counted from 1.
  void add(std::int64_t done, const StepOutcome& step);
  void finish() { progress_.finish(); }

 private:
  using Clock = std::chrono::steady_clock;
  std::string note(const StepOutcome& step) const;

  JsonLines* log_;
  std::int64_t batch_size_;
  std::string label_;
  std::vector<std::string> hosts_;  // by rank
  Progress progress_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace sono
