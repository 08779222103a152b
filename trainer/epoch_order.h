#pragma once
// Which example each sample of a training is, when examples differ in size:
// every epoch takes each example once, and neighbours have one size, so that a
// batch or lane is mostly of one shape. A pure function of (seed, sample).

#include <cstdint>
#include <utility>
#include <vector>

namespace sono {

class EpochOrder {
 public:
  // `shapes[i]`: height and width of example i; at least one.
  EpochOrder(std::vector<std::pair<std::int64_t, std::int64_t>> shapes,
             std::int64_t batch_size, std::uint64_t seed);

  struct Place {
    std::int64_t index = 0;
    std::int64_t epoch = 0;
  };
  Place at(std::uint64_t sample);

 private:
  void shuffle(std::int64_t epoch);

  std::vector<std::vector<std::int64_t>> buckets_;  // by shape, ascending
  std::int64_t count_ = 0;
  std::int64_t batch_size_;
  std::uint64_t seed_;
  std::int64_t epoch_ = -1;          // of order_
  std::vector<std::int64_t> order_;  // of one epoch
};

}  // namespace sono
