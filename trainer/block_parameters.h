#pragma once
// ZeRO stage 3 in a training: fetches a block's parameters before the block
// runs and gives them back afterwards.

#include <map>
#include <vector>

#include "dist/parameter_units.h"
#include "models/nn/recompute.h"

namespace sono {

// Where the blocks' parameters stand among `parameters`. Error naming a block's
// parameter that is missing there, or blocks whose parameters are not
// neighbours.
EntryRanges entries_of(const std::vector<const Module*>& blocks,
                       const NamedTensors& parameters);

class BlockParameters : public BlockObserver {
 public:
  // All ranks must call.
  BlockParameters(CommQueue& queue, Arena& arena,
                  const std::vector<const Module*>& blocks);

  void before(const Module& block) override;
  void after(const Module& block) override;

  ParameterUnits& units() { return units_; }
  const ParameterUnits& units() const { return units_; }

 private:
  ParameterUnits units_;
  std::map<const Module*, std::size_t> numbers_;
};

}  // namespace sono
