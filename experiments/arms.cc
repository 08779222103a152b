#include "experiments/arms.h"

#include <algorithm>

namespace sono {

const std::vector<std::string>& known_arms() {
  static const std::vector<std::string> kArms = {
      "none",  "weak",   "strong",     "us-aug",    "phantom",     "sdedit",
      "joint", "concat", "controlnet", kCeilingArm, kResolutionArm};
  return kArms;
}

bool is_diffusion_arm(const std::string& arm) {
  return arm == "concat" || arm == "joint" || arm == "controlnet" ||
         arm == "sdedit" || arm == kImagesArm;
}

bool is_augmentation_arm(const std::string& arm) {
  return arm == "us-aug" || arm == "weak" || arm == "strong";
}

bool has_synthetic_pool(const std::string& arm) {
  return arm == "phantom" || (is_diffusion_arm(arm) && arm != kImagesArm);
}

std::string generator_mode(const std::string& arm) {
  return arm == "sdedit" ? "concat" : arm;
}

bool uses_diffusion(const ExperimentConfig& config) {
  return std::any_of(config.arms.begin(), config.arms.end(), is_diffusion_arm);
}

std::string ArmRun::label() const {
  return arm + (name_cohort ? "-" + cohort : "") + "-n" +
         std::to_string(n_real) +
         (synthetic > 0 ? "-k" + std::to_string(synthetic) : "") + "-s" +
         std::to_string(seed);
}

namespace {

std::vector<std::uint64_t> seeds_of(const ExperimentConfig& config) {
  std::vector<std::uint64_t> seeds;
  for (int s = 0; s < config.seeds; ++s) {
    seeds.push_back(config.first_seed + static_cast<std::uint64_t>(s));
  }
  return seeds;
}

void add_runs_of_cohort(const Recipe& recipe, const std::string& cohort,
                        std::vector<ArmRun>& runs) {
  const ExperimentConfig& config = recipe.experiment;
  const bool several = recipe.data.train.size() > 1;
  const auto seeds = seeds_of(config);
  if (std::count(config.arms.begin(), config.arms.end(), kCeilingArm)) {
    for (auto seed : seeds) {
      runs.push_back(
          {kCeilingArm, config.ceiling_images, seed, cohort, several});
    }
  }
  for (int n : config.n_real) {
    for (auto seed : seeds) {
      for (const auto& arm : config.arms) {
        if (arm == kCeilingArm) continue;
        runs.push_back({arm, n, seed, cohort, several});
      }
    }
  }
  const std::vector<ArmRun> whole = runs;
  for (const ArmRun& run : whole) {
    if (run.cohort != cohort || !has_synthetic_pool(run.arm)) continue;
    for (int count : config.synthetic_counts) {
      runs.push_back(run);
      runs.back().synthetic = count;
    }
  }
}

}  // namespace

std::vector<ArmRun> arm_runs(const Recipe& recipe) {
  std::vector<ArmRun> runs;
  if (recipe.experiment.task == "generate") {
    const bool several = recipe.data.train.size() > 1;
    for (const auto& cohort : recipe.data.train) {
      for (auto seed : seeds_of(recipe.experiment)) {
        runs.push_back({kImagesArm, recipe.experiment.generator_images, seed,
                        cohort, several});
      }
    }
    return runs;
  }
  for (const auto& cohort : recipe.data.train) {
    add_runs_of_cohort(recipe, cohort, runs);
  }
  return runs;
}

ArmRun generator_run(const Recipe& recipe, const ArmRun& run) {
  ArmRun generator = run;
  generator.synthetic = 0;
  if (recipe.experiment.generator_images > 0) {
    generator.n_real = recipe.experiment.generator_images;
  }
  return generator;
}

ArmRun ceiling_run(const Recipe& recipe, const ArmRun& run) {
  ArmRun ceiling = run;
  ceiling.n_real = recipe.experiment.ceiling_images;
  return ceiling;
}

bool asks_for_detector(const ExperimentConfig& config) {
  return std::count(config.prompts.begin(), config.prompts.end(), "detector");
}

std::vector<ArmRun> subset_runs(const Recipe& recipe) {
  std::vector<ArmRun> runs;
  for (const ArmRun& run : arm_runs(recipe)) {
    const bool known =
        std::any_of(runs.begin(), runs.end(), [&](const ArmRun& other) {
          return other.cohort == run.cohort && other.n_real == run.n_real &&
                 other.seed == run.seed;
        });
    if (!known) runs.push_back(run);
  }
  return runs;
}

std::vector<ArmRun> mean_mask_runs(const Recipe& recipe) {
  const std::vector<int>& wanted = recipe.experiment.n_real;
  std::vector<ArmRun> runs = subset_runs(recipe);
  std::erase_if(runs, [&](const ArmRun& run) {
    return std::count(wanted.begin(), wanted.end(), run.n_real) == 0;
  });
  return runs;
}

}  // namespace sono
