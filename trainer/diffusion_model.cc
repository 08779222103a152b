#include "trainer/diffusion_model.h"

#include <algorithm>

#include "core/check.h"
#include "models/diffusion/guidance.h"

namespace sono {
namespace {

constexpr std::int64_t kSpaceToDepth = 2;
constexpr std::int64_t kGridChannels = kSpaceToDepth * kSpaceToDepth;

const DiffusionConfig& validated(const DiffusionConfig& config) {
  config.validate("diffusion");
  return config;
}

// Index of the first timestep at or below `strength` of the schedule.
std::size_t first_step(const std::vector<double>& timesteps, double strength,
                       std::int64_t num_train_timesteps) {
  const double limit = strength * static_cast<double>(num_train_timesteps);
  const auto found = std::find_if(timesteps.begin(), timesteps.end(),
                                  [&](double t) { return t <= limit; });
  const auto last = std::prev(timesteps.end());
  return static_cast<std::size_t>(std::min(found, last) - timesteps.begin());
}

}  // namespace

DiffusionModel::DiffusionModel(const DiffusionConfig& config)
    : config_(validated(config)),
      schedule_(config.noise),
      prediction_(parse_prediction("diffusion.prediction", config.prediction)),
      unet_(unet_config(config)) {}

std::vector<std::int64_t> DiffusionModel::noise_shape() const {
  return {unet_.config().out_channels, config_.image_height / kSpaceToDepth,
          config_.image_width / kSpaceToDepth};
}

at::Tensor DiffusionModel::to_grid(const at::Tensor& image) const {
  SONO_CHECK(image.dim() == 4 && image.size(2) == config_.image_height &&
                 image.size(3) == config_.image_width,
             "image " << image.sizes() << " for a model of "
                      << config_.image_height << "x" << config_.image_width);
  return at::pixel_unshuffle(image, kSpaceToDepth);
}

at::Tensor DiffusionModel::to_image(const at::Tensor& grid) const {
  return at::pixel_shuffle(grid, kSpaceToDepth);
}

at::Tensor DiffusionModel::predict(const at::Tensor& noisy_grid,
                                   const at::Tensor& mask,
                                   const at::Tensor& timesteps,
                                   const at::Tensor& class_ids) const {
  const at::Tensor classes = config_.num_classes > 0 ? class_ids : at::Tensor();
  const at::Tensor times = timesteps.to(noisy_grid.device());
  if (config_.joint()) return unet_(noisy_grid, times, classes);
  SONO_CHECK(mask.defined(), "concat needs a mask");
  return unet_(at::cat({noisy_grid, to_grid(mask)}, 1), times, classes);
}

// The request's tensors where the network is.
SampleRequest DiffusionModel::on_device(SampleRequest request) const {
  const at::Device device = unet_.device();
  for (at::Tensor* tensor :
       {&request.noise, &request.mask, &request.class_ids, &request.start}) {
    if (tensor->defined()) *tensor = tensor->to(device);
  }
  return request;
}

// Both halves of the guidance in one batch.
at::Tensor DiffusionModel::predict_guided(const at::Tensor& noisy_grid,
                                          const SampleRequest& request,
                                          double timestep) const {
  const std::int64_t batch = noisy_grid.size(0);
  if (config_.guidance_scale == 1) {
    return predict(noisy_grid, request.mask,
                   at::full({batch}, timestep, at::kFloat), request.class_ids);
  }
  const at::Tensor mask = request.mask.defined()
                              ? at::cat({request.mask, request.mask})
                              : at::Tensor();
  const at::Tensor classes =
      at::cat({request.class_ids, at::zeros_like(request.class_ids)});
  return guide_rescaled(
      predict(at::cat({noisy_grid, noisy_grid}), mask,
              at::full({2 * batch}, timestep, at::kFloat), classes),
      config_.guidance_scale, config_.guidance_rescale);
}

at::Tensor DiffusionModel::sample(const SampleRequest& asked) const {
  const at::NoGradGuard no_grad;
  const SampleRequest request = on_device(asked);
  const auto sampler = make_sampler(config_.sampler, schedule_, prediction_);
  const auto& timesteps = sampler->timesteps();
  SONO_CHECK_EQ(request.noise.sizes().slice(1).vec(), noise_shape());
  sampler->set_step_noise(request.step_noise);
  at::Tensor x = request.noise;
  if (sampler->initial_scale() != 1) x = x * sampler->initial_scale();
  std::size_t begin = 0;
  if (request.start.defined()) {
    begin = first_step(timesteps, request.strength,
                       schedule_.num_train_timesteps());
    x = sampler->noised(to_grid(request.start), request.noise, begin);
  }
  for (std::size_t i = begin; i < timesteps.size(); ++i) {
    if (request.before_call) request.before_call();
    x = sampler->step(predict_guided(x, request, timesteps[i]), i, x);
  }
  return to_image(x).clamp(-1, 1).cpu();
}

}  // namespace sono
