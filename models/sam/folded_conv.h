#pragma once
// A convolution and the batch norm behind it, folded into one convolution for
// a frozen network. The state dict keeps both apart (`c.*`, `bn.*`), as the
// published TinyViT checkpoints do.

#include "models/nn/module.h"

namespace sono {

class FoldedConv : public Module {
 public:
  // Kernel 1, or a depthwise 3x3 with padding 1 and the given stride.
  static constexpr std::int64_t kDepthwise = 3;
  FoldedConv(std::int64_t in_channels, std::int64_t out_channels,
             std::int64_t kernel = 1, std::int64_t stride = 1);

  // Computes the folded weights; call after every load_state.
  void fold();
  // fp32 [B, H, W, in] -> [B, H / stride, W / stride, out]; no gradient.
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor conv_weight_, weight_, bias_, mean_, variance_;
  at::Tensor folded_weight_, folded_bias_;
  std::int64_t kernel_;
  std::int64_t stride_;
};

}  // namespace sono
