#include "trainer/block_parameters.h"

#include "core/check.h"

namespace sono {

EntryRanges entries_of(const std::vector<const Module*>& blocks,
                       const NamedTensors& parameters) {
  std::map<const at::TensorImpl*, std::size_t> places;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    places[parameters[i].second.unsafeGetTensorImpl()] = i;
  }
  EntryRanges ranges;
  for (const Module* block : blocks) {
    std::size_t first = 0, count = 0;
    for (const auto& [name, tensor] : block->named_parameters()) {
      const auto found = places.find(tensor.unsafeGetTensorImpl());
      SONO_CHECK(found != places.end(),
                 "parameter " << name << " of a block is not trained");
      if (count == 0) first = found->second;
      SONO_CHECK_EQ(found->second, first + count);
      ++count;
    }
    ranges.emplace_back(first, first + count);
  }
  return ranges;
}

BlockParameters::BlockParameters(CommQueue& queue, Arena& arena,
                                 const std::vector<const Module*>& blocks)
    : units_(queue, arena, entries_of(blocks, arena.parameters())) {
  for (std::size_t i = 0; i < blocks.size(); ++i) numbers_[blocks[i]] = i;
}

void BlockParameters::before(const Module& block) {
  units_.acquire(numbers_.at(&block));
}

void BlockParameters::after(const Module& block) {
  units_.release(numbers_.at(&block));
}

}  // namespace sono
