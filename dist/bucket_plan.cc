#include "dist/bucket_plan.h"

#include <algorithm>

#include "core/check.h"
#include "dist/communicator.h"

namespace sono {
namespace {

std::int64_t num_blocks(std::int64_t elements) {
  return (elements + BucketPlan::kBlock - 1) / BucketPlan::kBlock;
}

// Elements of a bucket of `bytes`, in whole blocks, at least one.
std::int64_t bucket_elements(std::int64_t bytes) {
  const auto elements = bytes / static_cast<std::int64_t>(sizeof(float));
  return std::max<std::int64_t>(1, elements / BucketPlan::kBlock) *
         BucketPlan::kBlock;
}

Bucket make_bucket(const Layout& layout, Range range) {
  const auto& entries = layout.entries();
  Bucket bucket{range, 0, entries.size()};
  while (layout.range_of(bucket.first_entry).end <= range.begin) {
    ++bucket.first_entry;
  }
  while (entries[bucket.last_entry - 1].offset >= range.end) {
    --bucket.last_entry;
  }
  return bucket;
}

}  // namespace

BucketPlan::BucketPlan(const Layout& layout, const BucketOptions& options,
                       int world_size)
    : world_size_(world_size) {
  SONO_CHECK(world_size >= 1, "a plan for " << world_size << " ranks");
  std::int64_t wanted = bucket_elements(options.first_bytes);
  for (std::int64_t end = layout.size(); end > 0;) {
    const std::int64_t begin =
        std::max<std::int64_t>(0, (num_blocks(end) * kBlock) - wanted);
    buckets_.push_back(make_bucket(layout, {begin, end}));
    end = begin;
    wanted = bucket_elements(options.bytes);
  }
}

Range BucketPlan::chunk(std::size_t bucket, int rank) const {
  const Range range = buckets_[bucket].range;
  const auto edge = [&](int r) {
    const auto block = split_point(num_blocks(range.size()), world_size_, r);
    return std::min(range.end, range.begin + block * kBlock);
  };
  return {edge(rank), edge(rank + 1)};
}

std::vector<Range> BucketPlan::owned(int rank) const {
  std::vector<Range> ranges;
  for (std::size_t b = buckets_.size(); b-- > 0;) {
    const Range part = chunk(b, rank);
    if (part.size() == 0) continue;
    if (!ranges.empty() && ranges.back().end == part.begin) {
      ranges.back().end = part.end;
    } else {
      ranges.push_back(part);
    }
  }
  return ranges;
}

std::vector<Range> blocks_of(Range range) {
  std::vector<Range> blocks;
  for (std::int64_t begin = range.begin; begin < range.end;) {
    const std::int64_t next =
        (begin / BucketPlan::kBlock + 1) * BucketPlan::kBlock;
    blocks.push_back({begin, std::min(next, range.end)});
    begin = blocks.back().end;
  }
  return blocks;
}

}  // namespace sono
