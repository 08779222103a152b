#pragma once
// A convolution whose weight and bias are not trained. Autograd's own would
// keep the input for the gradient of the weight, wanted or not; this keeps the
// weight alone. Where the weight is large and the map small it is a matrix
// product: the convolution kernels bring the weight into an order of their own
// at every call, which there takes longer than the arithmetic.

#include <ATen/ATen.h>

#include <cstdint>

namespace sono {

// x [B, in, H, W], weight [out, in, k, k] on x's device, bias [out] or
// undefined -> [B, out, H', W']. Neither weight nor bias requires grad.
at::Tensor frozen_conv2d(const at::Tensor& x, const at::Tensor& weight,
                         const at::Tensor& bias, std::int64_t stride,
                         std::int64_t padding);

}  // namespace sono
