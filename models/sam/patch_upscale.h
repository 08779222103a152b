#pragma once
// Doubles a grid of tokens: a transposed convolution whose kernel is its
// stride, 2, has no overlaps and is one matrix product a token.

#include "models/nn/module.h"

namespace sono {

class PatchUpscale : public Module {
 public:
  PatchUpscale(std::int64_t in_channels, std::int64_t out_channels);
  // [B, tokens, in] -> [B, 4 * tokens, out]: behind one another the 2 x 2 block
  // of each token, row by row.
  at::Tensor operator()(const at::Tensor& tokens) const;

  // As PyTorch's ConvTranspose2d has them: [in, out, 2, 2] and [out].
  at::Tensor weight, bias;
};

// Values in the order that `times` of these leave, [..., grid * grid *
// 4^times], put in their places: [..., 2^times * grid, 2^times * grid].
at::Tensor blocks_to_grid(const at::Tensor& values, std::int64_t grid,
                          int times);

}  // namespace sono
