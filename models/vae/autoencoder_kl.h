#pragma once
// The autoencoder between images and the latents that Stable Diffusion works on
// (diffusers' AutoencoderKL, same names; Rombach et al. 2022, section 3.1).
// Images are taken one by one, so memory does not grow with the batch and no
// image depends on its neighbours.

#include <memory>
#include <optional>
#include <vector>

#include "models/io/config_json.h"
#include "models/unet/blocks.h"

namespace sono {

struct AutoencoderConfig {
  std::int64_t in_channels = 3;
  std::int64_t out_channels = 3;
  std::int64_t latent_channels = 4;
  std::vector<std::int64_t> block_out_channels{128, 256, 512, 512};
  std::int64_t layers_per_block = 2;
  std::int64_t norm_num_groups = 32;
  double scaling_factor = 0.18215;  // latents for the UNet are z times this
  bool use_quant_conv = true;
  bool use_post_quant_conv = true;
  bool mid_attention = true;

  // Image pixels a latent one: 2 to the number of halvings.
  std::int64_t downscale() const {
    return std::int64_t{1} << (block_out_channels.size() - 1);
  }
  // Throws ConfigError.
  void validate() const;
};

// DataError naming file and key for what is not implemented.
AutoencoderConfig read_autoencoder_config(ConfigJson json);

// A normal distribution a latent pixel; both [B, latent, H, W].
struct LatentMoments {
  at::Tensor mean;
  at::Tensor logvar;  // clamped to [-30, 20]
  // mean + exp(logvar / 2) * noise
  at::Tensor sample(const at::Tensor& noise) const;
};

class Encoder : public Module {
 public:
  explicit Encoder(const AutoencoderConfig& config);
  // [B, in, fH, fW] -> [B, 2 * latent, H, W]
  at::Tensor operator()(const at::Tensor& image) const;

 private:
  Conv2d conv_in_;
  std::vector<std::unique_ptr<DownBlock>> down_blocks_;
  std::optional<MidBlock> mid_block_;
  GroupNorm conv_norm_out_;
  Conv2d conv_out_;
};

// UpDecoderBlock2D: layers + 1 resnets without skips, then twice the size.
class DecoderStage : public ResnetStack {
 public:
  DecoderStage(const StageOptions& options, std::int64_t in_channels,
               std::int64_t out_channels, bool upsample);
  at::Tensor operator()(at::Tensor x) const;

 private:
  std::optional<Conv2d> upsampler_;
};

class Decoder : public Module {
 public:
  explicit Decoder(const AutoencoderConfig& config);
  // [B, latent, H, W] -> [B, out, fH, fW]
  at::Tensor operator()(const at::Tensor& latent) const;

 private:
  Conv2d conv_in_;
  std::vector<std::unique_ptr<DecoderStage>> up_blocks_;
  std::optional<MidBlock> mid_block_;
  GroupNorm conv_norm_out_;
  Conv2d conv_out_;
};

class AutoencoderKL : public Module {
 public:
  // Throws ConfigError. Parameters are zero until initialize() or a state.
  explicit AutoencoderKL(const AutoencoderConfig& config);

  // Images [B, in, H, W] in [-1, 1], H and W multiples of downscale().
  LatentMoments encode(const at::Tensor& images) const;
  // Latents as encode() gives them, not scaled -> [B, out, H, W], about
  // [-1, 1].
  at::Tensor decode(const at::Tensor& latents) const;

  const AutoencoderConfig& config() const { return config_; }
  at::ScalarType dtype() const;

 private:
  AutoencoderConfig config_;
  Encoder encoder_;
  Decoder decoder_;
  std::optional<Conv2d> quant_conv_, post_quant_conv_;
};

}  // namespace sono
