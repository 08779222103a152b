#include "dist/flat_buffer.h"

#include <algorithm>

#include "core/check.h"

namespace sono {

FlatBuffer::FlatBuffer(std::vector<Range> ranges,
                       const at::TensorOptions& options)
    : ranges_(std::move(ranges)) {
  std::int64_t size = 0;
  std::int64_t last = 0;
  for (const Range& range : ranges_) {
    SONO_CHECK(range.begin >= last && range.end >= range.begin,
               "ranges of a flat buffer out of order");
    offsets_.push_back(size);
    size += range.size();
    last = range.end;
  }
  data = at::zeros({size}, options);
}

std::int64_t FlatBuffer::find(Range range) const {
  const auto after = std::upper_bound(
      ranges_.begin(), ranges_.end(), range.begin,
      [](std::int64_t at, const Range& held) { return at < held.begin; });
  if (after == ranges_.begin()) return -1;
  return range.end <= std::prev(after)->end ? after - ranges_.begin() - 1 : -1;
}

bool FlatBuffer::holds(Range range) const { return find(range) >= 0; }

at::Tensor FlatBuffer::view(Range range) const {
  if (range.size() == 0) return data.narrow(0, 0, 0);
  const std::int64_t i = find(range);
  SONO_CHECK(i >= 0, "elements " << range.begin << " to " << range.end
                                 << " are not held by this rank");
  return data.narrow(0, offsets_[i] + range.begin - ranges_[i].begin,
                     range.size());
}

}  // namespace sono
