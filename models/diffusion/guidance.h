#pragma once
// Classifier-free guidance (Ho & Salimans 2022, equation 6).

#include <ATen/ATen.h>

namespace sono {

// `outputs` [2B, ...]: the conditional half, then the unconditional one, made
// in one network call. Returns u + scale (c - u), [B, ...].
at::Tensor guide(const at::Tensor& outputs, double scale);

}  // namespace sono
