#pragma once
// Where a step's time goes, and which rank the others wait for.

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "dist/reducer/gradient_reducer.h"

namespace sono {

// Seconds of one step by phase.
class StepTimes {
 public:
  enum Phase { kCompute, kReduce, kUpdate, kSave };
  static constexpr std::array<const char*, RankReport::kNumTimes> kNames = {
      "compute", "reduce", "update", "save"};

  // Time since the last mark goes to `phase`.
  void mark(Phase phase);
  const std::array<double, RankReport::kNumTimes>& seconds() const {
    return seconds_;
  }
  double total() const;
  // The next step begins.
  void restart();

 private:
  using Clock = std::chrono::steady_clock;
  std::array<double, RankReport::kNumTimes> seconds_ = {};
  Clock::time_point last_ = Clock::now();
};

// The rank with the most of its own work (all phases but the reduction, in
// which ranks wait for one another) in the step that `ranks` report.
struct Straggler {
  int rank = 0;
  std::string phase;   // its longest phase of own work
  double ratio = 1.0;  // its own work over the median rank's
};
Straggler find_straggler(const std::vector<RankReport>& ranks);

}  // namespace sono
