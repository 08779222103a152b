#pragma once
// GELU-gated linear units (Shazeer 2020): the first half times the GELU of the
// second. Backward keeps the input alone and computes the GELU again.

#include <ATen/ATen.h>

namespace sono {

// [..., 2 n] -> [..., n], the exact GELU.
at::Tensor geglu(const at::Tensor& x);

}  // namespace sono
