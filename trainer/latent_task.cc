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

void append(NamedTensors& all, const std::string& model, const LoraSet& lora) {
  for (const auto& [name, tensor] : lora.named_parameters()) {
    all.emplace_back(model + "." + name, tensor);
  }
}

}  // namespace

LatentTask::LatentTask(const LatentNetworks& networks,
                       std::function<LatentDraw(std::uint64_t)> draw,
                       const LatentTaskConfig& config)
    : networks_(networks),
      draw_(std::move(draw)),
      config_(config),
      schedule_(config.noise) {
  SONO_CHECK(config_.batch_size >= 1, "batch of " << config_.batch_size);
  SONO_CHECK(networks_.text_lora == nullptr || networks_.lora != nullptr,
             "a LoRA on the text encoder comes with one on the UNet");
  SONO_CHECK_EQ(networks_.text_lora != nullptr,
                networks_.text_encoder != nullptr);
  SONO_CHECK(networks_.control == nullptr || networks_.lora == nullptr,
             "a ControlNet is trained alone");
  const at::Tensor added = networks_.unet.added_input_weight();
  networks_.unet.requires_grad(trains_all());
  if (added.defined() && networks_.lora) added.set_requires_grad(true);
  if (networks_.control) networks_.control->requires_grad(true);
  for (LoraSet* lora : {networks_.lora, networks_.text_lora}) {
    if (lora != nullptr) lora->requires_grad(true);
  }
}

NamedTensors LatentTask::parameters() {
  if (trains_all()) return networks_.unet.named_parameters();
  NamedTensors named;
  if (networks_.control) {
    for (const auto& [name, tensor] : networks_.control->named_parameters()) {
      named.emplace_back("controlnet." + name, tensor);
    }
    return named;
  }
  append(named, "unet", *networks_.lora);
  const at::Tensor added = networks_.unet.added_input_weight();
  if (added.defined()) named.emplace_back("unet.conv_in_added.weight", added);
  if (networks_.text_lora) append(named, "text_encoder", *networks_.text_lora);
  return named;
}

std::vector<double> LatentTask::rate_factors() {
  if (networks_.text_lora == nullptr || config_.text_rate_factor == 1) {
    return {};
  }
  const std::size_t text = networks_.text_lora->named_parameters().size();
  std::vector<double> factors(parameters().size() - text, 1.0);
  factors.resize(factors.size() + text, config_.text_rate_factor);
  return factors;
}

std::vector<const Module*> LatentTask::blocks() {
  // What is trained beside the UNet is no part of its blocks.
  if (!trains_all()) return {};
  return networks_.unet.blocks();
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

at::Tensor LatentTask::text_states(const at::Tensor& texts) const {
  if (networks_.text_encoder == nullptr) return texts;
  return (*networks_.text_encoder)(texts, networks_.clip_skip);
}

at::Tensor LatentTask::predict(const at::Tensor& noisy,
                               const at::Tensor& timesteps,
                               const std::vector<LatentDraw>& draws) const {
  UNetCondition condition;
  condition.text =
      text_states(stacked(draws, [](const LatentDraw& d) { return d.text; }));
  if (!draws.front().guide.defined()) {
    return networks_.unet(noisy, timesteps, condition);
  }
  const at::Tensor guide =
      stacked(draws, [](const LatentDraw& d) { return d.guide; });
  if (networks_.control == nullptr) {
    return networks_.unet(at::cat({noisy, guide}, 1), timesteps, condition);
  }
  const ControlResiduals residuals =
      (*networks_.control)(noisy, timesteps, condition, guide);
  return networks_.unet(noisy, timesteps, condition, &residuals);
}

at::Tensor LatentTask::errors(const std::vector<LatentDraw>& draws) const {
  const at::Tensor latents =
      stacked(draws, [](const LatentDraw& d) { return d.latent; });
  const at::Tensor noise =
      stacked(draws, [](const LatentDraw& d) { return d.noise; });
  const at::Tensor timesteps = timesteps_of(draws);
  const at::Tensor said =
      predict(schedule_.add_noise(latents, noise, timesteps), timesteps, draws);
  const at::Tensor target = prediction_target(schedule_, config_.prediction,
                                              latents, noise, timesteps);
  return (said.to(at::kFloat) - target).square().mean({1, 2, 3});
}

at::Tensor LatentTask::group_loss(const std::vector<std::uint64_t>& samples,
                                  const std::vector<LatentDraw>& draws) {
  set_dropout_samples(samples);
  const at::Tensor weight =
      min_snr_weight(schedule_, config_.prediction, timesteps_of(draws),
                     config_.min_snr_gamma);
  return (errors(draws) * weight).sum();
}

void LatentTask::after_step(std::int64_t steps_done) {
  if (!on_step) return;
  set_dropout_samples({});
  on_step(steps_done);
}

void LatentTask::set_dropout_samples(
    const std::vector<std::uint64_t>& samples) const {
  for (LoraSet* lora : {networks_.lora, networks_.text_lora}) {
    if (lora != nullptr) lora->set_dropout_samples(samples);
  }
}

}  // namespace sono
