#pragma once
// Which buckets backward has completed. They are released in the plan's order
// on every rank, whatever the order in which gradients arrive.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "dist/bucket_plan.h"

namespace sono {

class BucketTracker {
 public:
  // `release(b)` is called once a backward pass for each bucket, in order.
  BucketTracker(const BucketPlan& plan, std::size_t num_entries,
                std::function<void(std::size_t)> release);

  // Before a backward pass. An idle tracker records arrivals and releases
  // nothing.
  void start(bool idle);
  // Entry `i` has its gradient.
  void arrived(std::size_t i);
  // Backward is over: releases what is left.
  void release_rest();

  // One flag an entry: whether a gradient came since clear_seen().
  const std::vector<std::uint8_t>& seen() const { return seen_; }
  void clear_seen() { seen_.assign(seen_.size(), 0); }

 private:
  const BucketPlan& plan_;
  std::function<void(std::size_t)> release_;
  std::vector<std::vector<std::size_t>> buckets_of_;  // by entry
  std::vector<std::size_t> missing_;                  // entries, by bucket
  std::vector<std::uint8_t> seen_;
  std::size_t next_ = 0;  // to be released
  bool idle_ = true;
};

}  // namespace sono
