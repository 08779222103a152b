#pragma once
// The one check of two sets of features.

#include <ATen/ATen.h>

#include <cstdint>
#include <utility>

namespace sono {

// Both as fp64 [N, D]. DataError when they are not matrices of one width, have
// fewer than `least` rows, or hold a value that is not finite.
std::pair<at::Tensor, at::Tensor> checked_features(const at::Tensor& real,
                                                   const at::Tensor& synthetic,
                                                   std::int64_t least);

}  // namespace sono
