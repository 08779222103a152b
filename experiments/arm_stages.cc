#include "experiments/arm_stages.h"

#include <algorithm>

#include "experiments/diffusion_examples.h"

namespace sono {

namespace {

std::size_t dose(const ArmRun& run, std::size_t pool) {
  if (run.synthetic == 0) return pool;
  return std::min(pool, static_cast<std::size_t>(run.synthetic));
}

cv::Size native_size(const Study& study, const ArmRun& run) {
  const auto first = study.subset(run).at(0);
  return study.training(run).load(first).image.size();
}

}  // namespace

ArmImages arm_images(const RunContext& context, const Study& study,
                     const ArmRun& run, const Datasets& datasets) {
  const Recipe& recipe = context.recipe;
  const ExperimentConfig& config = recipe.experiment;
  if (run.arm == "phantom") {
    return ArmImages(study, recipe, run, dose(run, config.synthetic_count),
                     [&config, set = kArmPhantoms + run.seed](std::size_t i) {
                       return phantom_sample(config, set, i);
                     });
  }
  if (run.arm == kResolutionArm) {
    const CoarseHeads heads(study, recipe, run);
    return ArmImages(study, recipe, run, heads.size(),
                     [heads](std::size_t i) { return heads.read(i); });
  }
  if (!is_diffusion_arm(run.arm)) {
    return ArmImages(study, recipe, run, 0, nullptr);
  }
  const std::string label = generator_run(recipe, run).label();
  // A published model's pairs are about as large as real ones, and square.
  auto pairs = std::make_shared<SyntheticPairs>(
      datasets.at(label).dir / "dataset",
      recipe.latent() ? cv::Size() : native_size(study, run));
  return ArmImages(study, recipe, run, dose(run, pairs->size()),
                   [pairs](std::size_t i) { return pairs->read(i); });
}

nlohmann::json synthetic_inputs(const RunContext& context, const Study& study,
                                const ArmRun& run, const Datasets& datasets) {
  const Recipe& recipe = context.recipe;
  if (run.arm == "phantom") return phantom_inputs(recipe.experiment);
  if (run.arm == kResolutionArm) {
    return {{"real", study.subset_inputs(ceiling_run(recipe, run))},
            {"width", recipe.diffusion.image_width},
            {"height", recipe.diffusion.image_height}};
  }
  if (!is_diffusion_arm(run.arm)) return nullptr;
  return datasets.at(generator_run(recipe, run).label())
      .outputs.at("dataset_hash");
}

}  // namespace sono
