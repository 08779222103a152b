#include "trainer/latent_task.h"

#include <map>

#include "core/check.h"

namespace sono {
namespace {

template <class Get>
at::Tensor stacked(const std::vector<LatentDraw>& draws, const Get& get) {
  std::vector<at::Tensor> parts;
  for (const LatentDraw& draw : draws) parts.push_back(get(draw));
  return at::stack(parts);
}

at::Tensor timesteps_of(const std::vector<LatentDraw>& draws) {
  std::vector<std::int64_t> timesteps;
  for (const LatentDraw& draw : draws) timesteps.push_back(draw.timestep);
  return at::tensor(timesteps);
}

}  // namespace

LatentTask::LatentTask(UNet& unet, LoraSet* lora,
                       std::function<LatentDraw(std::uint64_t)> draw,
                       const LatentTaskConfig& config)
    : unet_(unet),
      lora_(lora),
      draw_(std::move(draw)),
      config_(config),
      schedule_(config.noise) {
  SONO_CHECK(config_.batch_size >= 1, "batch of " << config_.batch_size);
  unet_.requires_grad(lora_ == nullptr);
  if (lora_ != nullptr) lora_->requires_grad(true);
}

NamedTensors LatentTask::parameters() {
  if (lora_ == nullptr) return unet_.named_parameters();
  NamedTensors named;
  for (const auto& [name, tensor] : lora_->named_parameters()) {
    named.emplace_back("unet." + name, tensor);
  }
  return named;
}

std::vector<const Module*> LatentTask::blocks() {
  // A LoRA's matrices are no part of the UNet's blocks, and small.
  if (lora_ != nullptr) return {};
  return unet_.blocks();
}

at::Tensor LatentTask::loss(std::int64_t step, std::int64_t begin,
                            std::int64_t end) {
  SONO_CHECK(0 <= begin && begin < end && end <= config_.batch_size,
             "samples " << begin << ".." << end << " of a batch of "
                        << config_.batch_size);
  struct Group {
    std::vector<std::uint64_t> samples;
    std::vector<LatentDraw> draws;
  };
  std::map<std::vector<std::int64_t>, Group> groups;
  for (std::int64_t position = begin; position < end; ++position) {
    const auto sample =
        static_cast<std::uint64_t>(step * config_.batch_size + position);
    LatentDraw draw = draw_(sample);
    Group& group = groups[draw.latent.sizes().vec()];
    group.samples.push_back(sample);
    group.draws.push_back(std::move(draw));
  }
  at::Tensor sum;
  for (const auto& [shape, group] : groups) {
    const at::Tensor loss = group_loss(group.samples, group.draws);
    sum = sum.defined() ? sum + loss : loss;
  }
  return sum / static_cast<double>(config_.batch_size);
}

at::Tensor LatentTask::errors(const std::vector<LatentDraw>& draws) const {
  const at::Tensor latents =
      stacked(draws, [](const LatentDraw& d) { return d.latent; });
  const at::Tensor noise =
      stacked(draws, [](const LatentDraw& d) { return d.noise; });
  const at::Tensor timesteps = timesteps_of(draws);
  UNetCondition condition;
  condition.text = stacked(draws, [](const LatentDraw& d) { return d.text; });
  const at::Tensor said = unet_(schedule_.add_noise(latents, noise, timesteps),
                                timesteps, condition);
  const at::Tensor target = prediction_target(schedule_, config_.prediction,
                                              latents, noise, timesteps);
  return (said.to(at::kFloat) - target).square().mean({1, 2, 3});
}

at::Tensor LatentTask::group_loss(const std::vector<std::uint64_t>& samples,
                                  const std::vector<LatentDraw>& draws) {
  if (lora_ != nullptr) lora_->set_dropout_samples(samples);
  const at::Tensor weight =
      min_snr_weight(schedule_, config_.prediction, timesteps_of(draws),
                     config_.min_snr_gamma);
  return (errors(draws) * weight).sum();
}

void LatentTask::after_step(std::int64_t steps_done) {
  if (!on_step) return;
  if (lora_ != nullptr) lora_->set_dropout_samples({});
  on_step(steps_done);
}

}  // namespace sono
