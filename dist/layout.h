#pragma once
// Where each tensor stands in a flat buffer.
//
// Tensors follow one another in the order given, each starting at a multiple of
// 64 elements (256 bytes in fp32); the total is a multiple of 64 too. So a cut
// at any multiple of 64 keeps vectorised kernels on whole vectors, and results
// do not depend on where a buffer is cut.

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sono {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// Elements [begin, end) of a flat buffer.
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t size() const { return end - begin; }
  bool operator==(const Range&) const = default;
};

struct LayoutEntry {
  std::string name;
  std::int64_t offset;  // elements
  std::int64_t numel;
  std::vector<std::int64_t> shape;
};

class Layout {
 public:
  static constexpr std::int64_t kAlignment = 64;

  // Error on an empty list or a name that occurs twice.
  explicit Layout(const NamedTensors& tensors);

  const std::vector<LayoutEntry>& entries() const { return entries_; }
  // Elements of the flat buffer, gaps included.
  std::int64_t size() const { return size_; }

  // The whole buffer.
  Range all() const { return {0, size_}; }
  // Where entry `index` stands, without the gap behind it.
  Range range_of(std::size_t index) const {
    return {entries_[index].offset,
            entries_[index].offset + entries_[index].numel};
  }
  // The entries as views into `flat` (1-D, size() elements), with their names
  // prefixed by `prefix`.
  NamedTensors views(const at::Tensor& flat,
                     const std::string& prefix = "") const;

 private:
  std::vector<LayoutEntry> entries_;
  std::int64_t size_ = 0;
};

}  // namespace sono
