#pragma once
// Multi-head attention of tokens to tokens (diffusers' Attention as its
// transformers use it: no biases but the output's).

#include "models/nn/layers.h"
#include "models/unet/condition.h"

namespace sono {

struct AttentionOptions {
  std::int64_t channels = 0;
  std::int64_t context_width = 0;  // of keys and values
  std::int64_t heads = 8;          // divides channels
};

class Attention : public Module {
 public:
  explicit Attention(const AttentionOptions& options);
  // [B, N, channels], context [B, T, context_width] -> [B, N, channels]
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& context) const;
  // The same with the context's keys and values from project(); a batch of one
  // serves every x.
  at::Tensor operator()(const at::Tensor& x, const KeyValue& projected) const;
  KeyValue project(const at::Tensor& context) const;

 private:
  Linear to_q_, to_k_, to_v_, to_out_;
  std::int64_t heads_;
};

}  // namespace sono
