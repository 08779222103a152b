#include "core/random.h"

#include <cmath>
#include <numbers>
#include <string>

#include "core/check.h"
#include "core/hash.h"

namespace sono {

RandomKey make_key(std::string_view purpose, std::uint64_t seed,
                   std::uint64_t sample, std::uint64_t epoch) {
  std::string text(purpose);
  text.push_back('\0');
  for (std::uint64_t word : {seed, sample, epoch}) {
    for (int byte = 0; byte < 8; ++byte) {
      text.push_back(static_cast<char>(word >> (8 * byte)));
    }
  }
  const auto digest = sha256(text);
  RandomKey key;
  for (int i = 0; i < 8; ++i) {
    key.high = key.high << 8 | digest[i];
    key.low = key.low << 8 | digest[8 + i];
  }
  return key;
}

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53;
  constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0];
    const std::uint64_t product1 = kMultiplier1 * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

std::uint32_t Random::bits() {
  if (used_ == 4) {
    words_ = philox4x32({static_cast<std::uint32_t>(block_),
                         static_cast<std::uint32_t>(block_ >> 32),
                         static_cast<std::uint32_t>(key_.high),
                         static_cast<std::uint32_t>(key_.high >> 32)},
                        {static_cast<std::uint32_t>(key_.low),
                         static_cast<std::uint32_t>(key_.low >> 32)});
    ++block_;
    used_ = 0;
  }
  return words_[used_++];
}

std::uint64_t Random::bits64() {
  const std::uint64_t high = bits();
  return high << 32 | bits();
}

double Random::uniform() {
  return static_cast<double>(bits64() >> 11) * 0x1.0p-53;
}

std::uint64_t Random::below(std::uint64_t n) {
  SONO_CHECK(n > 0, "below(0)");
  const std::uint64_t limit = ~std::uint64_t{0} - ~std::uint64_t{0} % n;
  std::uint64_t value = bits64();
  while (value >= limit) value = bits64();
  return value % n;
}

double Random::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  const double angle = 2.0 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

void Random::fill_normal(float* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<float>(normal());
}

void Random::fill_uniform(float* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<float>(bits() >> 8) * 0x1.0p-24f;
  }
}

std::uint64_t permuted_index(std::uint64_t index, std::uint64_t size,
                             RandomKey key) {
  SONO_CHECK(index < size, "index " << index << " of " << size);
  int half_bits = 1;
  while (half_bits < 32 && (std::uint64_t{1} << (2 * half_bits)) < size) {
    ++half_bits;
  }
  const std::uint64_t mask = (std::uint64_t{1} << half_bits) - 1;
  do {
    std::uint64_t left = index >> half_bits, right = index & mask;
    for (std::uint32_t round = 0; round < 6; ++round) {
      const auto block =
          philox4x32({static_cast<std::uint32_t>(right), round,
                      static_cast<std::uint32_t>(key.high),
                      static_cast<std::uint32_t>(key.high >> 32)},
                     {static_cast<std::uint32_t>(key.low),
                      static_cast<std::uint32_t>(key.low >> 32)});
      const std::uint64_t next = left ^ (block[0] & mask);
      left = right;
      right = next;
    }
    index = left << half_bits | right;
  } while (index >= size);
  return index;
}

}  // namespace sono
