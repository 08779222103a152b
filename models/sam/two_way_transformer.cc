#include "models/sam/two_way_transformer.h"

#include <cmath>

#include "core/check.h"

namespace sono {

SamAttention::SamAttention(std::int64_t channels, std::int64_t heads,
                           std::int64_t downsample)
    : heads_(heads),
      q_proj_(channels, channels / downsample),
      k_proj_(channels, channels / downsample),
      v_proj_(channels, channels / downsample),
      out_proj_(channels / downsample, channels) {
  SONO_CHECK_EQ(channels / downsample % heads, 0);
  add_module("q_proj", q_proj_);
  add_module("k_proj", k_proj_);
  add_module("v_proj", v_proj_);
  add_module("out_proj", out_proj_);
}

at::Tensor SamAttention::split_heads(const at::Tensor& x) const {
  return x.view({x.size(0), x.size(1), heads_, -1}).transpose(1, 2);
}

at::Tensor SamAttention::operator()(const at::Tensor& query,
                                    const at::Tensor& key,
                                    const at::Tensor& value) const {
  const at::Tensor q = split_heads(q_proj_(query));
  const at::Tensor k = split_heads(k_proj_(key));
  const at::Tensor v = split_heads(v_proj_(value));
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(-1)));
  const at::Tensor weights =
      at::softmax(q.matmul(k.transpose(-2, -1)) * scale, -1);
  return out_proj_(weights.matmul(v).transpose(1, 2).flatten(2));
}

TwoWayBlock::TwoWayBlock(const TwoWayConfig& config, bool is_first)
    : is_first_(is_first),
      self_attn_(config.channels, config.heads),
      norm1_(config.channels),
      token_to_image_(config.channels, config.heads, config.cross_downsample),
      norm2_(config.channels),
      lin1_(config.channels, config.mlp_width),
      lin2_(config.mlp_width, config.channels),
      norm3_(config.channels),
      norm4_(config.channels),
      image_to_token_(config.channels, config.heads, config.cross_downsample) {
  add_module("self_attn", self_attn_);
  add_module("norm1", norm1_);
  add_module("cross_attn_token_to_image", token_to_image_);
  add_module("norm2", norm2_);
  add_module("mlp.lin1", lin1_);
  add_module("mlp.lin2", lin2_);
  add_module("norm3", norm3_);
  add_module("norm4", norm4_);
  add_module("cross_attn_image_to_token", image_to_token_);
}

TwoWayState TwoWayBlock::operator()(const TwoWayState& state,
                                    const at::Tensor& token_position,
                                    const at::Tensor& image_position) const {
  at::Tensor tokens = state.tokens, image = state.image;
  if (is_first_) {
    tokens = self_attn_(tokens, tokens, tokens);
  } else {
    const at::Tensor placed = tokens + token_position;
    tokens = tokens + self_attn_(placed, placed, tokens);
  }
  tokens = norm1_(tokens);
  const at::Tensor placed_image = image + image_position;
  tokens = norm2_(
      tokens + token_to_image_(tokens + token_position, placed_image, image));
  tokens = norm3_(tokens + lin2_(at::relu(lin1_(tokens))));
  image = norm4_(
      image + image_to_token_(placed_image, tokens + token_position, tokens));
  return {tokens, image};
}

TwoWayTransformer::TwoWayTransformer(const TwoWayConfig& config)
    : final_attn_(config.channels, config.heads, config.cross_downsample),
      norm_final_attn_(config.channels) {
  for (std::int64_t i = 0; i < config.depth; ++i) {
    layers_.push_back(std::make_unique<TwoWayBlock>(config, i == 0));
    add_module("layers." + std::to_string(i), *layers_.back());
  }
  add_module("final_attn_token_to_image", final_attn_);
  add_module("norm_final_attn", norm_final_attn_);
}

TwoWayState TwoWayTransformer::operator()(const at::Tensor& image,
                                          const at::Tensor& image_position,
                                          const at::Tensor& tokens) const {
  // Copied once: every projection would copy a transposed view again.
  const at::Tensor position =
      image_position.flatten(2).transpose(1, 2).contiguous();
  TwoWayState state{tokens, image.flatten(2).transpose(1, 2).contiguous()};
  for (const auto& layer : layers_) state = (*layer)(state, tokens, position);
  const at::Tensor attended =
      final_attn_(state.tokens + tokens, state.image + position, state.image);
  return {norm_final_attn_(state.tokens + attended), state.image};
}

}  // namespace sono
