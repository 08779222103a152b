#pragma once
// Learning rate as a function of the step.

#include <cstdint>
#include <string>

namespace sono {

struct LearningRate {
  double peak = 1e-4;
  std::string schedule = "constant";  // constant | cosine
  std::int64_t warmup_steps = 0;
  std::int64_t total_steps = 1;

  // For `step` = 0 .. total_steps - 1. Linear from peak / warmup_steps up to
  // peak over the first warmup_steps; then constant, or half a cosine that
  // would reach 0 at total_steps.
  double at(std::int64_t step) const;
};

}  // namespace sono
