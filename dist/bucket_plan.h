#pragma once
// How a flat buffer is cut for communication, and who owns which part of it.
//
// Buckets are contiguous ranges of the buffer, numbered in the order in which
// backward completes them: the last parameters come first. Within a bucket
// each rank owns one chunk. Buckets and chunks are cut at multiples of 65,536
// elements, so that a sum over such blocks (the gradient's norm) and a
// vectorised update have the same bits wherever the cuts are. Owners add
// gradients, keep sharded state and write checkpoints; no result depends on
// who owns what.

#include <cstdint>
#include <vector>

#include "dist/layout.h"

namespace sono {

struct BucketOptions {
  std::int64_t first_bytes = std::int64_t{1} << 20;
  std::int64_t bytes = std::int64_t{25} << 20;  // of the other buckets
};

struct Bucket {
  Range range;
  // The entries that lie in it, wholly or in part: [first, last) of
  // Layout::entries(). It is complete when all of them are.
  std::size_t first_entry;
  std::size_t last_entry;
};

class BucketPlan {
 public:
  static constexpr std::int64_t kBlock = 65536;  // elements

  BucketPlan(const Layout& layout, const BucketOptions& options,
             int world_size);

  int world_size() const { return world_size_; }
  const std::vector<Bucket>& buckets() const { return buckets_; }
  // The part of a bucket that `rank` owns; empty for some where there are
  // fewer blocks than ranks.
  Range chunk(std::size_t bucket, int rank) const;
  // All that `rank` owns, ascending. Over the ranks the whole buffer, once.
  std::vector<Range> owned(int rank) const;

 private:
  std::vector<Bucket> buckets_;
  int world_size_;
};

// The blocks that a sum over `range` is made of, ascending: cut at multiples
// of BucketPlan::kBlock.
std::vector<Range> blocks_of(Range range);

}  // namespace sono
