#pragma once
// Random numbers keyed by meaning, never by rank or by order of calls.
//
// Philox4x32-10 (Salmon et al. 2011) with a 128-bit key made from (purpose,
// seed, sample, epoch): two of the key's words are Philox's key, two are the
// upper half of its counter. Equal keys give equal streams on every machine.

#include <array>
#include <cstdint>
#include <string_view>

namespace sono {

struct RandomKey {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
};

// The key of one stream: `purpose` names the use ("diffusion.noise").
RandomKey make_key(std::string_view purpose, std::uint64_t seed,
                   std::uint64_t sample = 0, std::uint64_t epoch = 0);

// One block of Philox4x32-10; exposed for its known-answer test.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// A stream of random numbers. Cheap to make; not shared between threads.
class Random {
 public:
  explicit Random(RandomKey key) : key_(key) {}

  std::uint32_t bits();
  std::uint64_t bits64();
  // Uniform in [0, 1), 53 bits.
  double uniform();
  double uniform(double low, double high) {
    return low + (high - low) * uniform();
  }
  // Uniform in 0 .. n-1 without modulo bias; n >= 1.
  std::uint64_t below(std::uint64_t n);
  // Standard normal (Box-Muller in double precision).
  double normal();
  void fill_normal(float* out, std::size_t count);
  void fill_uniform(float* out, std::size_t count);

 private:
  RandomKey key_;
  std::uint64_t block_ = 0;
  std::array<std::uint32_t, 4> words_{};
  int used_ = 4;
  bool has_spare_ = false;
  double spare_ = 0;
};

// Position `index` of a pseudo-random permutation of 0 .. size-1 (Feistel
// network with cycle walking): O(1) memory, any entry on its own.
std::uint64_t permuted_index(std::uint64_t index, std::uint64_t size,
                             RandomKey key);

}  // namespace sono
