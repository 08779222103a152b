#pragma once
// Classifier-free guidance (Ho & Salimans 2022, equation 6).

#include <ATen/ATen.h>

namespace sono {

// `outputs` [2B, ...]: the conditional half, then the unconditional one, made
// in one network call. Returns u + scale (c - u), [B, ...].
at::Tensor guide(const at::Tensor& outputs, double scale);

// The same, then brought `rescale` (0..1) of the way back to each conditional
// output's standard deviation (Lin et al. 2023, equations 15 and 16).
at::Tensor guide_rescaled(const at::Tensor& outputs, double scale,
                          double rescale);

}  // namespace sono
