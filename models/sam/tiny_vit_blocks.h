#pragma once
// The blocks of TinyVitEncoder. All take and return fp32 [B, H, W, C].

#include <memory>
#include <vector>

#include "models/nn/layers.h"
#include "models/sam/folded_conv.h"

namespace sono {

// Inverted bottleneck of the first stage: 1x1, depthwise 3x3, 1x1, shortcut.
class MbConv : public Module {
 public:
  explicit MbConv(std::int64_t channels, std::int64_t expansion = 4);
  void fold();
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  std::int64_t hidden_channels_;
  FoldedConv conv1_, conv2_, conv3_;
};

// Between two stages: changes the width, and halves the resolution where
// stride is 2.
class PatchMerging : public Module {
 public:
  PatchMerging(std::int64_t in_channels, std::int64_t out_channels,
               std::int64_t stride);
  void fold();
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  std::int64_t channels_;
  std::int64_t stride_;
  FoldedConv conv1_, conv2_, conv3_;
};

// Self-attention inside one window of `window` x `window` tokens, with a
// learned bias for each head and each |offset| between two tokens.
class WindowAttention : public Module {
 public:
  WindowAttention(std::int64_t channels, std::int64_t heads,
                  std::int64_t window);
  void fold();
  // [windows, window * window, C] -> the same shape.
  at::Tensor operator()(const at::Tensor& tokens) const;

 private:
  std::int64_t heads_;
  std::int64_t window_;
  at::Tensor attention_biases_, gathered_bias_;
  LayerNorm norm_;
  Linear qkv_, proj_;
};

// Layer norm, then two linear layers with a GELU between.
class TinyVitMlp : public Module {
 public:
  TinyVitMlp(std::int64_t channels, std::int64_t expansion);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  LayerNorm norm_;
  Linear fc1_, fc2_;
};

// Window attention, depthwise 3x3, MLP.
class TinyVitBlock : public Module {
 public:
  TinyVitBlock(std::int64_t channels, std::int64_t heads, std::int64_t window);
  void fold();
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor attend_in_windows(const at::Tensor& x) const;

  std::int64_t window_;
  WindowAttention attn_;
  TinyVitMlp mlp_;
  FoldedConv local_conv_;
};

}  // namespace sono
