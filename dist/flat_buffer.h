#pragma once
// The ranges of a flat buffer that one rank holds.
//
// Without sharding that is the whole buffer; with it, the ranges that the rank
// owns (dist/bucket_plan.h). They stand one after the other in one tensor, so
// an optimiser, an average or a snapshot is still one call.

#include <ATen/ATen.h>

#include <vector>

#include "dist/layout.h"

namespace sono {

class FlatBuffer {
 public:
  FlatBuffer() = default;  // holds nothing, data undefined
  // Zeros. `ranges` ascending and disjoint.
  FlatBuffer(std::vector<Range> ranges, const at::TensorOptions& options);

  bool defined() const { return data.defined(); }
  const std::vector<Range>& ranges() const { return ranges_; }
  bool holds(Range range) const;
  // A view of elements [begin, end) of the flat buffer, which must lie within
  // one held range unless there are none.
  at::Tensor view(Range range) const;

  at::Tensor data;  // 1-D: the held ranges, one after the other

 private:
  // Index of the held range around `range`; -1 when there is none.
  std::int64_t find(Range range) const;

  std::vector<Range> ranges_;
  std::vector<std::int64_t> offsets_;  // of each range in `data`
};

}  // namespace sono
