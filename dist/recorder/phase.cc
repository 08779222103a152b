#include "dist/recorder/phase.h"

#include <array>

namespace sono {
namespace {

constexpr std::array<std::string_view, 11> kNames = {
    "start",     "stage", "data",     "forward", "backward", "reduce",
    "optimizer", "save",  "generate", "encode",  "evaluate"};

}  // namespace

std::string_view phase_name(Phase phase) {
  const auto index = static_cast<std::size_t>(phase);
  return index < kNames.size() ? kNames[index] : "unknown";
}

Phase phase_of_name(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Phase>(i);
  }
  return Phase::kStage;
}

double work_deadline(Phase phase, const Deadlines& deadlines) {
  const bool long_one = phase == Phase::kStart || phase == Phase::kStage;
  return long_one ? deadlines.start : deadlines.step;
}

bool waits_for_work(Phase phase) {
  return phase == Phase::kStage || phase == Phase::kGenerate ||
         phase == Phase::kEncode || phase == Phase::kEvaluate;
}

}  // namespace sono
