#include "trainer/step_times.h"

#include <algorithm>
#include <numeric>

namespace sono {
namespace {

double own_work(const RankReport& report) {
  return std::accumulate(report.times.begin(), report.times.end(), 0.0) -
         report.times[StepTimes::kReduce];
}

std::string longest_phase(const RankReport& report) {
  auto times = report.times;
  times[StepTimes::kReduce] = -1;
  const auto longest = std::max_element(times.begin(), times.end());
  return StepTimes::kNames[longest - times.begin()];
}

}  // namespace

void StepTimes::mark(Phase phase) {
  const auto now = Clock::now();
  seconds_[phase] += std::chrono::duration<double>(now - last_).count();
  last_ = now;
}

double StepTimes::total() const {
  return std::accumulate(seconds_.begin(), seconds_.end(), 0.0);
}

void StepTimes::restart() { seconds_ = {}; }

Straggler find_straggler(const std::vector<RankReport>& ranks) {
  std::vector<double> work;
  for (const RankReport& report : ranks) work.push_back(own_work(report));
  const auto slowest = std::max_element(work.begin(), work.end());
  Straggler straggler;
  straggler.rank = static_cast<int>(slowest - work.begin());
  straggler.phase = longest_phase(ranks[straggler.rank]);
  const double most = *slowest;
  // The lower of the two in the middle: of two ranks the faster one.
  const auto middle = work.begin() + (std::ssize(work) - 1) / 2;
  std::nth_element(work.begin(), middle, work.end());
  if (*middle > 0) straggler.ratio = most / *middle;
  return straggler;
}

}  // namespace sono
