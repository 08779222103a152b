#pragma once
// The denoising UNet: diffusers' UNet2DModel and, with a text to look at, its
// UNet2DConditionModel: same block structure and same parameter names, so that
// its state dicts load with no map.

#include <memory>
#include <vector>

#include "models/unet/encoder_half.h"

namespace sono {

// What a ControlNet adds to the UNet's feature maps.
struct ControlResiduals {
  std::vector<at::Tensor> down;  // one a skip, from conv_in's on
  at::Tensor mid;
};

class UNet : public EncoderHalf {
 public:
  // Throws ConfigError. Parameters are zero until initialize() or a state.
  explicit UNet(const UNetConfig& config);

  // sample [B, in, H, W]; timesteps [B] int64 or fp32. Returns [B, out, H, W]
  // in the network's dtype. Any H and W: odd sizes are upsampled to fit.
  at::Tensor operator()(const at::Tensor& sample, const at::Tensor& timesteps,
                        const at::Tensor& class_ids = {}) const;
  at::Tensor operator()(const at::Tensor& sample, const at::Tensor& timesteps,
                        const UNetCondition& condition,
                        const ControlResiduals* control = nullptr) const;

  TextContext prepare_text(const at::Tensor& tokens) const override;
  TimeTable prepare_times(
      const std::vector<std::int64_t>& timesteps) const override;

 private:
  void add_up_blocks();

  std::vector<std::unique_ptr<UpBlock>> up_blocks_;
  GroupNorm conv_norm_out_;
  Conv2d conv_out_;
};

}  // namespace sono
