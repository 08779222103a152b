#pragma once
// Values that both sides of a comparison can make: see
// tests/parity/mixed_values.py.

#include <cstdint>

#include "models/nn/module.h"

namespace sono {

// fp32 in (-1, 1).
at::Tensor mixed(std::uint64_t stream, at::IntArrayRef shape);

// Stream k for the k-th name in order; norms lie around 1.
void fill_mixed(NamedTensors parameters, double scale, double norm_scale = 0.1);

}  // namespace sono
