#pragma once
// The 3x3 convolution of stride 1 and padding 1 with weights that stay as they
// are, by Winograd's F(2x2, 3x3) (Lavin and Gray 2016): 16 products of matrices
// in place of a convolution, 2.25 times fewer multiplications. The weights are
// transformed once, to 16/9 of their size; the gradient of the input takes the
// same ones. fp32 on the CPU.

#include <ATen/ATen.h>

#include <cstdint>

namespace sono {

class WinogradConv {
 public:
  // `weight` [out, in, 3, 3]
  explicit WinogradConv(const at::Tensor& weight);

  // x [B, in, H, W] -> [B, out, H, W]; `bias` may be undefined. A gradient
  // flows to x alone; this must then outlive the backward pass.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& bias) const;
  // Of the input, from the output's.
  at::Tensor input_gradient(const at::Tensor& gradient) const;

  // Whether the map is small enough for its 16 matrices, 4 times the map each
  // way, to stay near the processor; beyond, they cost more than they save.
  static bool pays(const at::Tensor& x);
  // Whether `weight` is still what was transformed, untouched.
  bool holds(const at::Tensor& weight) const;
  std::int64_t nbytes() const {
    return static_cast<std::int64_t>(weights_.nbytes());
  }

 private:
  at::Tensor weights_;  // [16, out, in]
  const void* source_;
  std::int64_t source_version_;
};

}  // namespace sono
