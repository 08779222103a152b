#pragma once
// A ControlNet (Zhang et al. 2023; diffusers' ControlNetModel): a copy of the
// UNet's way down that sees a condition image and adds to the UNet's maps.

#include <cstdint>
#include <memory>
#include <vector>

#include "models/unet/unet.h"

namespace sono {

struct ControlNetConfig {
  UNetConfig unet;  // out_channels is of no meaning
  std::int64_t conditioning_channels = 3;
  bool conditioning_bgr = false;  // the condition's channels are turned round
  // Widths of the condition's embedding; each but the first halves the size.
  std::vector<std::int64_t> conditioning_widths{16, 32, 96, 256};
  bool global_pool_conditions = false;  // residuals are means over the map

  // Throws ConfigError.
  void validate() const;
};

// That of a ControlNet for a UNet whose condition images are `factor` times as
// high and wide as its samples. ConfigError for what has no such copy.
ControlNetConfig controlnet_config_of(const UNetConfig& unet,
                                      std::int64_t factor);

// Convolutions that take the condition image to conv_in's size.
class ConditioningEmbedding : public Module {
 public:
  explicit ConditioningEmbedding(const ControlNetConfig& config);
  // [B, conditioning channels, fH, fW] -> [B, first width, H, W]
  at::Tensor operator()(const at::Tensor& condition) const;

 private:
  friend class ControlNet;  // starts conv_out_ at zero

  Conv2d conv_in_;
  std::vector<std::unique_ptr<Conv2d>> blocks_;
  Conv2d conv_out_;
};

struct ControlStrength {
  double scale = 1;
  // The residuals fade from the middle's 1 to a tenth at conv_in, so that the
  // condition can guide without a prompt. Without meaning where they are
  // pooled.
  bool guess = false;
};

class ControlNet : public EncoderHalf {
 public:
  // Throws ConfigError.
  explicit ControlNet(const ControlNetConfig& config);

  // Starts as the published ones did: the UNet's way down, residuals of zero,
  // and the condition's embedding drawn from `seed` but for its last layer,
  // which is zero.
  void start_from(const UNet& unet, std::uint64_t seed);
  const ControlNetConfig& control_config() const { return config_; }

  // Sample, timesteps and condition as for UNet; `image` [1 or B, conditioning
  // channels, fH, fW] in [0, 1], f = 2 to the number of halvings.
  ControlResiduals operator()(const at::Tensor& sample,
                              const at::Tensor& timesteps,
                              const UNetCondition& condition,
                              const at::Tensor& image,
                              const ControlStrength& strength = {}) const;

 private:
  void add_control_blocks();

  ControlNetConfig config_;
  ConditioningEmbedding controlnet_cond_embedding_;
  std::vector<std::unique_ptr<Conv2d>> controlnet_down_blocks_;
  Conv2d controlnet_mid_block_;
};

}  // namespace sono
