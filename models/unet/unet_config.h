#pragma once
// The shape of a UNet: diffusers' UNet2DModel, or its UNet2DConditionModel
// where there is a text to look at.

#include <cstdint>
#include <vector>

namespace sono {

struct UNetConfig {
  std::int64_t in_channels = 3;
  std::int64_t out_channels = 3;
  std::vector<std::int64_t> block_out_channels{224, 448, 672, 896};
  // Attention at each level, on the way down and up.
  std::vector<bool> attention{false, true, true, true};
  bool mid_block = true;
  bool mid_attention = true;
  std::int64_t layers_per_block = 2;
  std::int64_t attention_head_dim = 8;  // of self-attention; 0: one head
  std::int64_t norm_num_groups = 32;
  double norm_eps = 1e-5;
  bool flip_sin_to_cos = true;
  double freq_shift = 0;
  std::int64_t num_class_embeds = 0;    // 0: no class condition
  double mid_block_scale_factor = 1;    // divides the middle's layers' outputs
  std::int64_t downsample_padding = 1;  // or 0
  std::int64_t conv_in_kernel = 3;      // odd
  std::int64_t conv_out_kernel = 3;     // odd
  bool center_input_sample = false;     // takes [0, 1] to [-1, 1]

  // The text's width; 0: no text, attention is self-attention. With a text it
  // is a Transformer2D everywhere, and the lists have one entry a level.
  std::int64_t cross_attention_dim = 0;
  std::vector<std::int64_t> num_attention_heads{};
  std::vector<std::int64_t> transformer_layers{};
  std::vector<bool> only_cross_attention{};
  bool use_linear_projection = false;

  bool has_text() const { return cross_attention_dim > 0; }
  // Throws ConfigError where groups or heads do not divide the channels or the
  // lists differ in length.
  void validate() const;
};

}  // namespace sono
