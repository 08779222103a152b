#include "experiments/lora_data.h"

#include "data/split.h"
#include "experiments/latent_encoders.h"
#include "experiments/vae_round_trip.h"

namespace sono {
namespace {

Split split_of(const Cohort& cohort, const LoraRecipe& recipe) {
  if (recipe.validation.fraction > 0) {
    return split_by_exam(cohort, recipe.validation.fraction, recipe.train.seed);
  }
  Split split;
  for (std::size_t i = 0; i < cohort.size(); ++i) split.train.push_back(i);
  return split;
}

}  // namespace

nlohmann::json captions_of(const Cohort& cohort, const LoraRecipe& recipe) {
  nlohmann::json captions;
  for (std::size_t i = 0; i < cohort.size(); ++i) {
    captions.push_back(caption_of(cohort.entry(i), recipe.images.caption));
  }
  return captions;
}

LoraData encode_data(Communicator& comm, const LoraRecipe& recipe,
                     const Pretrained& model,
                     const std::map<std::string, std::string>& model_hashes,
                     const Cohort& cohort, PackCache& cache,
                     const StopSignal& stop, JsonLines& log) {
  const LatentEncoders encoders(
      model, model_hashes,
      {recipe.diffusion.clip_skip,
       /*text_is_trained=*/recipe.text_lora.trained()});
  const FrozenEncoders frozen = encoders.frozen();
  const Split split = split_of(cohort, recipe);
  const auto images = [&](const std::vector<std::size_t>& members,
                          int variants) {
    LatentImageConfig config = recipe.images;
    config.variants = variants;
    return std::make_shared<const LatentImages>(cohort, members, config,
                                                recipe.train.seed);
  };
  LoraData data;
  data.scaling_factor = encoders.autoencoder().config().scaling_factor;
  const auto seen = images(split.train, recipe.images.variants);
  data.train = cache_latents(comm, seen, frozen, cache, stop);
  if (!split.test.empty()) {
    data.held_out =
        cache_latents(comm, images(split.test, 1), frozen, cache, stop);
  }
  const at::NoGradGuard no_grad;
  if (recipe.preview.every > 0) {
    for (const std::string& prompt : recipe.preview.prompts) {
      data.preview_texts.push_back(frozen.tokenize ? frozen.tokenize(prompt)
                                                   : frozen.embed(prompt));
    }
  }
  if (seen->guidance() == MaskGuidance::kJoint) {
    const VaeRoundTrip result =
        vae_round_trip(comm, encoders.autoencoder(), *seen, {});
    if (comm.rank() == 0) report_round_trip(result, "lora", log);
  }
  return data;
}

}  // namespace sono
