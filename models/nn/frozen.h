#pragma once
// Faster forms of layers whose weights stay as they are: for sampling, and for
// the frozen model under a LoRA. Results differ by rounding alone (some 1e-6 of
// them); memory is given for time.

#include <cstdint>
#include <limits>

#include "models/nn/module.h"

namespace sono {

// Lets linear layers of `module` multiply as models/nn/frozen_product.h does,
// which takes no memory, and gives 3x3 convolutions their transformed weights
// (models/nn/winograd.h), those with the fewest weights first, as long as all
// of them take at most `max_bytes`. For fp32 on the CPU; others stay as they
// are. Returns the bytes taken: 16/9 of the weights that were transformed.
// Weights that change later are computed with as before, without the gain.
std::int64_t prepare_frozen(
    Module& module,
    std::int64_t max_bytes = std::numeric_limits<std::int64_t>::max());

// Gives the memory back.
void forget_frozen(Module& module);

}  // namespace sono
