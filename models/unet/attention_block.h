#pragma once
// Self-attention over the pixels of a feature map (diffusers' Attention as
// UNet2DModel and autoencoders use it: group norm, biases everywhere,
// residual).

#include "models/nn/layers.h"

namespace sono {

struct AttentionBlockOptions {
  std::int64_t channels = 0;
  std::int64_t head_dim = 8;  // divides channels; 0: one head of them all
  std::int64_t groups = 32;
  double eps = 1e-5;
  double output_scale = 1;  // divides the output
};

class AttentionBlock : public Module {
 public:
  explicit AttentionBlock(const AttentionBlockOptions& options);
  // [B, C, H, W] -> [B, C, H, W]
  at::Tensor operator()(const at::Tensor& x) const;

 protected:
  bool is_block() const override { return true; }

 private:
  at::Tensor forward(const at::Tensor& x) const;

  GroupNorm group_norm_;
  Linear to_q_, to_k_, to_v_, to_out_;
  std::int64_t heads_;
  double output_scale_;
};

}  // namespace sono
