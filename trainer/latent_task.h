#pragma once
// Training of a latent diffusion model's UNet, or of a LoRA on it, as
// diffusers' train_text_to_image scripts do: noise at a random timestep, mean
// squared error of what the network says of it.

#include <cstdint>
#include <functional>
#include <vector>

#include "models/diffusion/prediction.h"
#include "models/lora/lora_set.h"
#include "models/unet/unet.h"
#include "trainer/latent_draws.h"
#include "trainer/task.h"

namespace sono {

struct LatentTaskConfig {
  std::int64_t batch_size = 1;  // samples a step, over all ranks
  Prediction prediction = Prediction::kEpsilon;
  double min_snr_gamma =
      0;  // Hang et al. 2023; 0: all timesteps weigh the same
  NoiseScheduleConfig noise{};
};

class LatentTask : public Task {
 public:
  // `draw(n)` is sample n = step * batch_size + position. The task trains
  // `lora` alone, or all of `unet` when it is null; both must outlive it.
  LatentTask(UNet& unet, LoraSet* lora,
             std::function<LatentDraw(std::uint64_t sample)> draw,
             const LatentTaskConfig& config);

  // With a LoRA named as diffusers' files name them: "unet.PATH.lora_A.weight".
  NamedTensors parameters() override;
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

 private:
  // Of samples with latents of one shape.
  at::Tensor group_loss(const std::vector<std::uint64_t>& samples,
                        const std::vector<LatentDraw>& draws);

  UNet& unet_;
  LoraSet* lora_;
  std::function<LatentDraw(std::uint64_t)> draw_;
  LatentTaskConfig config_;
  NoiseSchedule schedule_;
};

}  // namespace sono
