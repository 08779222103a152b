#pragma once
// SAM's two-way transformer: a few tokens and the image attend to each other.

#include <memory>
#include <utility>
#include <vector>

#include "models/nn/layers.h"

namespace sono {

struct TwoWayConfig {
  std::int64_t channels = 256;
  std::int64_t depth = 2;
  std::int64_t heads = 8;
  std::int64_t mlp_width = 2048;
  std::int64_t cross_downsample = 2;  // of the width inside cross-attention
};

// Multi-head attention with a narrower inside; [B, N, C] each.
class SamAttention : public Module {
 public:
  SamAttention(std::int64_t channels, std::int64_t heads,
               std::int64_t downsample = 1);
  at::Tensor operator()(const at::Tensor& query, const at::Tensor& key,
                        const at::Tensor& value) const;

 private:
  // [B, N, C] -> [B, heads, N, C / heads]
  at::Tensor split_heads(const at::Tensor& x) const;

  std::int64_t heads_;
  Linear q_proj_, k_proj_, v_proj_, out_proj_;
};

// Tokens [B, N, C] with positions, image [B, H * W, C] with positions.
struct TwoWayState {
  at::Tensor tokens;
  at::Tensor image;
};

class TwoWayBlock : public Module {
 public:
  // The first block has no token positions yet: its tokens are the positions.
  TwoWayBlock(const TwoWayConfig& config, bool is_first);
  TwoWayState operator()(const TwoWayState& state,
                         const at::Tensor& token_position,
                         const at::Tensor& image_position) const;

 private:
  bool is_first_;
  SamAttention self_attn_;
  LayerNorm norm1_;
  SamAttention token_to_image_;
  LayerNorm norm2_;
  Linear lin1_, lin2_;
  LayerNorm norm3_, norm4_;
  SamAttention image_to_token_;
};

class TwoWayTransformer : public Module {
 public:
  explicit TwoWayTransformer(const TwoWayConfig& config = {});
  // image fp32 [B, C, H, W], its position [1, C, H, W], tokens [B, N, C];
  // gives tokens [B, N, C] and image [B, H * W, C].
  TwoWayState operator()(const at::Tensor& image,
                         const at::Tensor& image_position,
                         const at::Tensor& tokens) const;

 private:
  std::vector<std::unique_ptr<TwoWayBlock>> layers_;
  SamAttention final_attn_;
  LayerNorm norm_final_attn_;
};

}  // namespace sono
