#pragma once
// In which order an epoch goes through the samples of a data set: a function of
// (seed, epoch, position), so any position can be had on its own.

#include <cstdint>
#include <string>
#include <vector>

#include "core/random.h"

namespace sono {

// How samples are mixed.
//   none    as they are numbered
//   shards  the shards in random order, cut into windows of `window_shards`;
//           the samples of a window in random order. A window is read from few
//           files and is mixed as by a shuffle buffer of its size, but exactly:
//           16 shards of 64 are 1024 samples
//   full    any sample may stand anywhere; a seek for each
enum class Shuffle { kNone, kShards, kFull };

// ConfigError naming the choices.
Shuffle parse_shuffle(const std::string& text);

class EpochOrder {
 public:
  struct Place {
    std::int64_t shard;
    std::int64_t number;  // among the shard's samples, from 0
  };

  // `counts`: samples a shard. Costs one pass over the shards, 16 bytes each.
  EpochOrder(const std::vector<std::int64_t>& counts, Shuffle shuffle,
             int window_shards, std::uint64_t seed, std::int64_t epoch);

  std::int64_t size() const { return ends_.empty() ? 0 : ends_.back(); }
  // The sample at `position` of 0 .. size-1.
  Place at(std::int64_t position) const;

  // Windows of shards that are read together; none with a full shuffle.
  std::int64_t windows() const;
  std::int64_t window_of(std::int64_t position) const;
  std::vector<std::int64_t> shards_of(std::int64_t window) const;

 private:
  std::int64_t slot_of(std::int64_t position) const;
  // Samples before the shard in place `k` of the order.
  std::int64_t before(std::int64_t k) const;

  Shuffle shuffle_;
  std::int64_t window_shards_;
  std::uint64_t seed_, epoch_;
  std::vector<std::int64_t> shards_;  // in order
  std::vector<std::int64_t> ends_;    // samples up to and with each of them
};

}  // namespace sono
