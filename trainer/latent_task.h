#pragma once
// Training of a latent diffusion model's UNet, or of LoRAs on it and its text
// encoder, as diffusers' train_text_to_image and train_dreambooth_lora scripts
// do: noise at a random timestep, mean squared error of what the network says
// of it.

#include <cstdint>
#include <functional>
#include <vector>

#include "models/diffusion/prediction.h"
#include "models/lora/lora_set.h"
#include "models/text/clip_text_model.h"
#include "models/unet/controlnet.h"
#include "trainer/latent_draws.h"
#include "trainer/task.h"

namespace sono {

// What is computed with, and what of it is trained; all of it must outlive the
// task.
struct LatentNetworks {
  UNet& unet;
  // Trained in place of the UNet, where there is one; with it the weights of
  // the UNet's added input channels, where it has such.
  LoraSet* lora = nullptr;
  // Trained in place of the UNet and any LoRA, where there is one.
  ControlNet* control = nullptr;
  // With a LoRA on the text encoder, draws hold token ids, which it reads at
  // every step.
  const ClipTextModel* text_encoder = nullptr;
  LoraSet* text_lora = nullptr;
  std::int64_t clip_skip = 1;
};

struct LatentTaskConfig {
  std::int64_t batch_size = 1;  // samples a step, over all ranks
  Prediction prediction = Prediction::kEpsilon;
  double min_snr_gamma =
      0;  // Hang et al. 2023; 0: all timesteps weigh the same
  NoiseScheduleConfig noise{};
  double text_rate_factor = 1;  // learning rate of the text encoder's LoRA
};

class LatentTask : public Task {
 public:
  // `draw(n)` is sample n = step * batch_size + position.
  LatentTask(const LatentNetworks& networks,
             std::function<LatentDraw(std::uint64_t sample)> draw,
             const LatentTaskConfig& config);

  // With a LoRA named as diffusers' files name them: "unet.PATH.lora_A.weight",
  // "text_encoder.PATH.lora_A.weight"; also "unet.conv_in_added.weight",
  // "controlnet.PATH".
  NamedTensors parameters() override;
  std::vector<double> rate_factors() override;
  std::vector<const Module*> blocks() override;
  // Weighted mean squared error a sample, summed, over batch_size.
  at::Tensor loss(std::int64_t step, std::int64_t begin,
                  std::int64_t end) override;

  // Mean squared error of what the network says of each sample, fp32 [B]; all
  // latents of one shape.
  at::Tensor errors(const std::vector<LatentDraw>& draws) const;

  // Called after every step's update on all ranks, with the steps done.
  std::function<void(std::int64_t steps_done)> on_step{};
  void after_step(std::int64_t steps_done) override;

  const NoiseSchedule& schedule() const { return schedule_; }
  const LatentTaskConfig& config() const { return config_; }
  const LatentNetworks& networks() const { return networks_; }
  // What the UNet is told of texts, LatentExample::text stacked: [B, T, width].
  at::Tensor text_states(const at::Tensor& texts) const;

 private:
  bool trains_all() const {
    return networks_.lora == nullptr && networks_.control == nullptr;
  }
  // None: no dropout.
  void set_dropout_samples(const std::vector<std::uint64_t>& samples) const;
  // What the networks say of noisy latents, [B, C, h, w].
  at::Tensor predict(const at::Tensor& noisy, const at::Tensor& timesteps,
                     const std::vector<LatentDraw>& draws) const;
  // Of samples with latents of one shape.
  at::Tensor group_loss(const std::vector<std::uint64_t>& samples,
                        const std::vector<LatentDraw>& draws);

  LatentNetworks networks_;
  std::function<LatentDraw(std::uint64_t)> draw_;
  LatentTaskConfig config_;
  NoiseSchedule schedule_;
};

}  // namespace sono
