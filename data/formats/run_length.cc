#include "data/formats/run_length.h"

namespace sono {

bool run_length_segments_fit(const std::uint8_t* fragment,
                             std::uint32_t length) {
  constexpr std::uint32_t kHeader = 64, kMostSegments = 15;
  if (fragment == nullptr || length < kHeader) return false;
  const auto word = [&](std::uint32_t i) {
    std::uint32_t value = 0;
    for (int k = 3; k >= 0; --k) value = value << 8 | fragment[4 * i + k];
    return value;
  };
  const std::uint32_t count = word(0);
  if (count < 1 || count > kMostSegments || word(1) != kHeader) return false;
  for (std::uint32_t i = 2; i <= count; ++i) {
    if (word(i) < word(i - 1)) return false;
  }
  return word(count) <= length;
}

}  // namespace sono
