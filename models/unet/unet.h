#pragma once
// The denoising UNet: diffusers' UNet2DModel, same block structure and same
// parameter names, so that its state dicts load with no map.

#include <memory>
#include <optional>
#include <vector>

#include "models/unet/blocks.h"
#include "models/unet/timestep_embedding.h"

namespace sono {

struct UNetConfig {
  std::int64_t in_channels = 3;
  std::int64_t out_channels = 3;
  std::vector<std::int64_t> block_out_channels{224, 448, 672, 896};
  // Self-attention at each level, on the way down and up.
  std::vector<bool> attention{false, true, true, true};
  bool mid_attention = true;
  std::int64_t layers_per_block = 2;
  std::int64_t attention_head_dim = 8;
  std::int64_t norm_num_groups = 32;
  double norm_eps = 1e-5;
  bool flip_sin_to_cos = true;
  double freq_shift = 0;
  std::int64_t num_class_embeds = 0;  // 0: no class condition

  // Throws ConfigError where groups or heads do not divide the channels or the
  // lists differ in length.
  void validate() const;
};

class UNet : public Module {
 public:
  explicit UNet(const UNetConfig& config);

  // sample [B, in, H, W] fp32; timesteps [B] int64 or fp32; class_ids [B]
  // int64, undefined exactly when the config has no classes.
  // Returns [B, out, H, W]. Any H and W: odd sizes are upsampled to fit.
  at::Tensor operator()(const at::Tensor& sample, const at::Tensor& timesteps,
                        const at::Tensor& class_ids = {}) const;

  const UNetConfig& config() const { return config_; }

 private:
  void add_down_blocks(const StageOptions& stage);
  void add_up_blocks(const StageOptions& stage);
  at::Tensor embed(const at::Tensor& timesteps,
                   const at::Tensor& class_ids) const;

  UNetConfig config_;
  Conv2d conv_in_;
  TimestepEmbedding time_embedding_;
  std::optional<Embedding> class_embedding_;
  std::vector<std::unique_ptr<DownBlock>> down_blocks_;
  std::optional<MidBlock> mid_block_;
  std::vector<std::unique_ptr<UpBlock>> up_blocks_;
  GroupNorm conv_norm_out_;
  Conv2d conv_out_;
};

}  // namespace sono
