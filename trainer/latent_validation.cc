#include "trainer/latent_validation.h"

#include "core/random.h"
#include "dist/recorder/flight_recorder.h"

namespace sono {
namespace {

LatentDraw fixed_draw(const LatentExamples& examples, std::int64_t item,
                      std::int64_t num_train_timesteps,
                      const ValidationConfig& config) {
  const std::int64_t part = item % config.timesteps;
  const LatentExample example = examples.get(item / config.timesteps, 0);
  LatentDraw draw;
  draw.latent = example.mean * config.scaling_factor;
  draw.noise = at::empty_like(draw.latent);
  Random(make_key("latent.validation", config.seed,
                  static_cast<std::uint64_t>(item)))
      .fill_normal(draw.noise.data_ptr<float>(),
                   static_cast<std::size_t>(draw.noise.numel()));
  draw.timestep = (2 * part + 1) * num_train_timesteps / (2 * config.timesteps);
  draw.text = example.text;
  draw.guide = example.guide;
  return draw;
}

}  // namespace

double validation_loss(Communicator& comm, LatentTask& task,
                       const LatentExamples& held_out,
                       const ValidationConfig& config) {
  const at::NoGradGuard no_grad;
  const PhaseMark mark(comm.recorder(), Phase::kEvaluate);
  const std::int64_t items = held_out.count() * config.timesteps;
  // Each by one rank alone, zero elsewhere, so the sum over ranks is exact.
  at::Tensor errors = at::zeros({items}, at::kDouble);
  for (std::int64_t item = comm.rank(); item < items;
       item += comm.world_size()) {
    const LatentDraw draw = fixed_draw(
        held_out, item, task.schedule().num_train_timesteps(), config);
    errors[item] = task.errors({draw}).item<double>();
    if (comm.recorder() != nullptr) comm.recorder()->tick();
  }
  comm.all_reduce(errors);
  return errors.mean().item<double>();
}

}  // namespace sono
