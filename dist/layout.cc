#include "dist/layout.h"

#include <set>

#include "core/check.h"

namespace sono {

Layout::Layout(const NamedTensors& tensors) {
  SONO_CHECK(!tensors.empty(), "a layout needs at least one tensor");
  std::set<std::string> names;
  for (const auto& [name, tensor] : tensors) {
    SONO_CHECK(names.insert(name).second, "two tensors named " << name);
    entries_.push_back({name, size_, tensor.numel(), tensor.sizes().vec()});
    const std::int64_t end = size_ + tensor.numel();
    size_ = (end + kAlignment - 1) / kAlignment * kAlignment;
  }
}

NamedTensors Layout::views(const at::Tensor& flat,
                           const std::string& prefix) const {
  SONO_CHECK_EQ(flat.numel(), size_);
  NamedTensors views;
  for (const LayoutEntry& entry : entries_) {
    views.emplace_back(
        prefix + entry.name,
        flat.narrow(0, entry.offset, entry.numel).view(entry.shape));
  }
  return views;
}

}  // namespace sono
