#include "trainer/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sono {

double LearningRate::at(std::int64_t step) const {
  if (step < warmup_steps) {
    return peak * static_cast<double>(step + 1) /
           static_cast<double>(warmup_steps);
  }
  if (schedule != "cosine") return peak;
  const auto span = std::max<std::int64_t>(1, total_steps - warmup_steps);
  const double done =
      static_cast<double>(step - warmup_steps) / static_cast<double>(span);
  return peak * 0.5 * (1 + std::cos(std::numbers::pi * std::min(done, 1.0)));
}

}  // namespace sono
