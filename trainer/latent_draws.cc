#include "trainer/latent_draws.h"

#include "core/check.h"
#include "core/random.h"

namespace sono {
namespace {

at::Tensor normal(at::IntArrayRef shape, RandomKey key) {
  at::Tensor values = at::empty(shape, at::kFloat);
  Random(key).fill_normal(values.data_ptr<float>(),
                          static_cast<std::size_t>(values.numel()));
  return values;
}

const LatentExamples& checked(const LatentExamples& examples) {
  if (examples.count() == 0) {
    throw DataError("latent training got no images; it needs one or more");
  }
  SONO_CHECK(examples.variants >= 1, examples.variants << " variants");
  return examples;
}

}  // namespace

LatentDraws::LatentDraws(LatentExamples examples,
                         const LatentDrawConfig& config)
    : examples_(std::move(examples)),
      config_(config),
      order_(checked(examples_).shapes, config.batch_size, config.seed) {}

LatentDraw LatentDraws::operator()(std::uint64_t sample) {
  const EpochOrder::Place place = order_.at(sample);
  const LatentExample example =
      examples_.get(place.index, place.epoch % examples_.variants);
  const auto key = [&](const char* purpose) {
    return make_key(purpose, config_.seed, sample);
  };
  LatentDraw draw;
  const at::IntArrayRef shape = example.mean.sizes();
  draw.latent = (example.mean + (example.logvar / 2).exp() *
                                    normal(shape, key("latent.posterior"))) *
                config_.scaling_factor;
  draw.noise = normal(shape, key("latent.noise"));
  if (config_.noise_offset > 0) {
    draw.noise =
        draw.noise + config_.noise_offset *
                         normal({shape[0], 1, 1}, key("latent.noise_offset"));
  }
  Random random(key("latent.draw"));
  draw.timestep = static_cast<std::int64_t>(
      random.below(static_cast<std::uint64_t>(config_.num_train_timesteps)));
  const bool hidden = random.uniform() < config_.caption_dropout;
  draw.text = hidden ? examples_.empty_text : example.text;
  if (example.guide.defined()) {
    const bool no_mask = random.uniform() < config_.mask_dropout;
    draw.guide = no_mask ? at::zeros_like(example.guide) : example.guide;
  }
  return draw;
}

}  // namespace sono
