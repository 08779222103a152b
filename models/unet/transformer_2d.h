#pragma once
// The transformer between the resnets of a text-conditioned UNet (diffusers'
// Transformer2DModel on feature maps; Rombach et al. 2022, appendix E.2.1).

#include <memory>
#include <optional>
#include <vector>

#include "models/unet/attention.h"

namespace sono {

struct TransformerOptions {
  std::int64_t channels = 0;
  std::int64_t heads = 8;       // divides channels
  std::int64_t text_width = 0;  // of the tokens that attn2 looks at
  std::int64_t layers = 1;
  std::int64_t groups = 32;
  bool linear_projection = false;     // else 1x1 convolutions
  bool only_cross_attention = false;  // attn1 looks at the text as well
};

// Linear, GELU-gated linear (Shazeer 2020, GEGLU), linear.
class FeedForward : public Module {
 public:
  explicit FeedForward(std::int64_t channels);
  // [B, N, channels] -> [B, N, channels]
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  Linear proj_, out_;
};

class BasicTransformerBlock : public Module {
 public:
  explicit BasicTransformerBlock(const TransformerOptions& options);
  // [B, N, channels] -> [B, N, channels]. `text` [B, T, text_width] is looked
  // at where `prepared` holds no keys and values.
  at::Tensor operator()(at::Tensor x, const at::Tensor& text,
                        const TextContext& prepared) const;
  void prepare(TextContext& text) const;

 private:
  LayerNorm norm1_, norm2_, norm3_;
  Attention attn1_, attn2_;
  FeedForward ff_;
  bool only_cross_attention_;
};

class Transformer2D : public Module {
 public:
  explicit Transformer2D(const TransformerOptions& options);
  // [B, C, H, W] -> [B, C, H, W]
  at::Tensor operator()(const at::Tensor& x, const TextContext& text) const;
  // Adds its keys and values of text.tokens.
  void prepare(TextContext& text) const;

 protected:
  bool is_block() const override { return true; }

 private:
  at::Tensor forward(const at::Tensor& x, const at::Tensor& text,
                     const TextContext& prepared) const;

  GroupNorm norm_;
  std::optional<Conv2d> conv_in_, conv_out_;
  std::optional<Linear> linear_in_, linear_out_;
  std::vector<std::unique_ptr<BasicTransformerBlock>> transformer_blocks_;
};

}  // namespace sono
