#pragma once
// The generator of ultrasound pairs: a pixel-space UNet, its noise schedule and
// its conditions. Images go through space-to-depth 2, so the network sees a
// grid of half the size and four times the channels.
//
// "concat" gives the network the mask beside the noisy image and makes the
// image: the label is exact. "joint" makes image and outline together.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/option.h"
#include "models/diffusion/sampler.h"
#include "models/unet/unet.h"

namespace sono {

struct DiffusionConfig {
  std::string mode = "concat";               // or "joint"
  int image_width = 128;                     // px, even
  int image_height = 88;                     // px, even
  std::vector<int> widths{32, 64, 96, 128};  // channels a level
  int layers_per_block = 1;
  int attention_levels = 2;  // this many coarsest levels have attention
  int attention_head_dim = 32;
  int norm_groups = 8;
  // Classes (cohort x trimester, say), 1 .. num_classes; class 0 means "any".
  // 0 switches the class condition off.
  int num_classes = 0;
  double class_dropout = 0.1;  // probability that a view is seen as class 0
  double mask_dropout = 0;     // concat: probability that the mask is hidden
  NoiseScheduleConfig noise{.beta_schedule = "squaredcos_cap_v2"};
  std::string prediction = "v_prediction";  // or "epsilon"
  double min_snr_gamma = 5;                 // 0: every timestep weighs the same
  // Training noise gets a constant of this deviation a channel, so that the
  // network learns to change mean brightness (Guttenberg 2023).
  double noise_offset = 0;
  SamplerConfig sampler{.clip_sample = true};
  double guidance_scale = 1;    // above 1: twice the cost of sampling
  double guidance_rescale = 0;  // 0..1; see guide_rescaled()

  // ConfigError naming "prefix.key".
  void validate(const std::string& prefix) const;
  bool joint() const { return mode == "joint"; }
};

// Adds the options "prefix.image_width", ...; the mode is the caller's choice.
void describe(OptionTable& table, const std::string& prefix,
              DiffusionConfig& config);

// The UNet that the config asks for.
UNetConfig unet_config(const DiffusionConfig& config);

// What is asked of one batch of samples.
struct SampleRequest {
  at::Tensor noise;      // fp32, [B] + noise_shape()
  at::Tensor mask;       // concat: fp32 [B, 1, H, W], -1 or 1
  at::Tensor class_ids;  // int64 [B]; ignored without classes
  // SDEdit (Meng et al. 2022): begin from this image [B, 1, H, W] (joint: [B,
  // 2, H, W]) in [-1, 1], noised to `strength` of the way.
  at::Tensor start;
  double strength = 0.5;  // (0, 1]
  // Standard normal, fp32, shaped as `noise`: what samplers that add noise add
  // in step `index`. Key it by image and index.
  Sampler::StepNoise step_noise{};
  // Called before each network call; may throw to leave. May be empty.
  std::function<void()> before_call{};
};

// One thread at a time; knows nothing of ranks.
class DiffusionModel {
 public:
  // Throws ConfigError. Parameters are zero until initialize() or load_state().
  explicit DiffusionModel(const DiffusionConfig& config);

  UNet& unet() { return unet_; }
  const DiffusionConfig& config() const { return config_; }
  const NoiseSchedule& schedule() const { return schedule_; }
  Prediction prediction() const { return prediction_; }

  // Shape of one sample on the grid: {4 or 8, H/2, W/2}.
  std::vector<std::int64_t> noise_shape() const;
  // [B, C, H, W] <-> [B, 4C, H/2, W/2]
  at::Tensor to_grid(const at::Tensor& image) const;
  at::Tensor to_image(const at::Tensor& grid) const;

  // One network call on the grid, where the network is. `mask` as in
  // SampleRequest.
  at::Tensor predict(const at::Tensor& noisy_grid, const at::Tensor& mask,
                     const at::Tensor& timesteps,
                     const at::Tensor& class_ids) const;

  // Runs the config's sampler without gradients. Returns [B, 1, H, W] in
  // [-1, 1]; joint: [B, 2, H, W], image and outline; all on the CPU.
  at::Tensor sample(const SampleRequest& request) const;

 private:
  SampleRequest on_device(SampleRequest request) const;
  at::Tensor predict_guided(const at::Tensor& noisy_grid,
                            const SampleRequest& request,
                            double timestep) const;

  DiffusionConfig config_;
  NoiseSchedule schedule_;
  Prediction prediction_;
  UNet unet_;
};

}  // namespace sono
