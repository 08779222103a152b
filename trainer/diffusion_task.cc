#include "trainer/diffusion_task.h"

#include <vector>

#include "core/check.h"

namespace sono {

at::Tensor outline_of(const at::Tensor& mask) {
  // Dilation minus erosion with a 3x3 square: one pixel on either side.
  const at::Tensor planes = mask.unsqueeze(0);
  const at::Tensor grown = at::max_pool2d(planes, 3, 1, 1);
  const at::Tensor shrunk = 1 - at::max_pool2d(1 - planes, 3, 1, 1);
  return (grown - shrunk).squeeze(0);
}

DiffusionTask::DiffusionTask(DiffusionModel& model, DiffusionExamples examples,
                             const DiffusionTaskConfig& config)
    : model_(model), examples_(std::move(examples)), config_(config) {
  if (examples_.count < 1) {
    throw DataError("diffusion training got no images; it needs one or more");
  }
  SONO_CHECK(config_.batch_size >= 1, "batch of " << config_.batch_size);
  model_.unet().requires_grad(true);
}

NamedTensors DiffusionTask::parameters() {
  return model_.unet().named_parameters();
}

std::vector<const Module*> DiffusionTask::blocks() {
  return model_.unet().blocks();
}

DiffusionExample DiffusionTask::example(std::uint64_t sample) const {
  const auto count = static_cast<std::uint64_t>(examples_.count);
  const std::uint64_t index = permuted_index(
      sample % count, count,
      make_key("diffusion.order", config_.seed, 0, sample / count));
  Random source(make_key("diffusion.example", config_.seed, sample));
  DiffusionExample chosen =
      examples_.get(static_cast<std::int64_t>(index), source);
  if (!config_.augment) return chosen;
  Random random(make_key("diffusion.augment", config_.seed, sample));
  const DiffusionPair moved =
      augment({chosen.image, chosen.mask}, config_.augmentation, random);
  return {moved.image, moved.mask, chosen.class_id};
}

DiffusionTask::Views DiffusionTask::views(std::int64_t step, std::int64_t begin,
                                          std::int64_t end) const {
  const DiffusionConfig& c = model_.config();
  std::vector<at::Tensor> clean, noise, masks;
  std::vector<std::int64_t> timesteps, class_ids;
  for (std::int64_t position = begin; position < end; ++position) {
    const auto sample =
        static_cast<std::uint64_t>(step * config_.batch_size + position);
    const DiffusionExample chosen = example(sample);
    clean.push_back(
        c.joint() ? at::cat({chosen.image, outline_of(chosen.mask) * 2 - 1})
                  : chosen.image);
    Random random(make_key("diffusion.draw", config_.seed, sample));
    timesteps.push_back(static_cast<std::int64_t>(
        random.below(static_cast<std::uint64_t>(c.noise.num_train_timesteps))));
    const bool hide_class = random.uniform() < c.class_dropout;
    const bool hide_mask = random.uniform() < c.mask_dropout;
    class_ids.push_back(hide_class ? 0 : chosen.class_id);
    masks.push_back(hide_mask ? at::zeros_like(chosen.mask)
                              : chosen.mask * 2 - 1);
    at::Tensor values = at::empty(model_.noise_shape(), at::kFloat);
    Random(make_key("diffusion.noise", config_.seed, sample))
        .fill_normal(values.data_ptr<float>(),
                     static_cast<std::size_t>(values.numel()));
    if (c.noise_offset > 0) {
      Random offset(make_key("diffusion.offset", config_.seed, sample));
      for (std::int64_t k = 0; k < values.size(0); ++k) {
        values[k] += c.noise_offset * offset.normal();
      }
    }
    noise.push_back(values);
  }
  const at::Device device = model_.unet().device();
  return {model_.to_grid(at::stack(clean).to(device)),
          at::stack(noise).to(device), at::stack(masks).to(device),
          at::tensor(timesteps), at::tensor(class_ids).to(device)};
}

at::Tensor DiffusionTask::loss(std::int64_t step, std::int64_t begin,
                               std::int64_t end) {
  SONO_CHECK(0 <= begin && begin < end && end <= config_.batch_size,
             "samples " << begin << ".." << end << " of a batch of "
                        << config_.batch_size);
  const Views v = views(step, begin, end);
  const NoiseSchedule& schedule = model_.schedule();
  const at::Tensor noisy = schedule.add_noise(v.clean, v.noise, v.timesteps);
  const at::Tensor target = prediction_target(schedule, model_.prediction(),
                                              v.clean, v.noise, v.timesteps);
  const at::Tensor said =
      model_.predict(noisy, v.mask, v.timesteps, v.class_ids);
  const at::Tensor error = (said - target).square().mean({1, 2, 3});
  const at::Tensor weight =
      min_snr_weight(schedule, model_.prediction(), v.timesteps,
                     model_.config().min_snr_gamma)
          .to(error.device());
  return (error * weight).sum() / static_cast<double>(config_.batch_size);
}

}  // namespace sono
