#pragma once
// The 16 matrix products of a Winograd convolution (models/nn/winograd.h).

#include <ATen/ATen.h>

namespace sono {

// weights [16, out, in], tiles [16, in, T] -> weights[k] tiles[k], [16, out,
// T]. With few tiles the weights are streamed once, past the tiles in cache; a
// general product first copies them into an order of its own.
at::Tensor slot_products(const at::Tensor& weights, const at::Tensor& tiles);

// The same with weights[k] transposed: tiles [16, out, T] -> [16, in, T].
at::Tensor transposed_slot_products(const at::Tensor& weights,
                                    const at::Tensor& tiles);

}  // namespace sono
