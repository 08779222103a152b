#pragma once
// The arms of a recipe and the runs that they make: every combination of
// training cohort, number of real images, seed and arm.

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/recipe.h"

namespace sono {

// The arms a recipe may name, in the order of the tables.
const std::vector<std::string>& known_arms();
// Their synthetic images come from diffusion: concat, joint, controlnet,
// sdedit.
bool is_diffusion_arm(const std::string& arm);
// Their real images come in augmented variants: us-aug, weak, strong.
bool is_augmentation_arm(const std::string& arm);
// They have a pool of synthetic images: phantom and the diffusion arms.
bool has_synthetic_pool(const std::string& arm);
// The mode of the generator that a diffusion arm samples from: sdedit redraws
// phantoms with that of concat.
std::string generator_mode(const std::string& arm);
bool uses_diffusion(const ExperimentConfig& config);

inline constexpr char kCeilingArm[] = "real-100";
inline constexpr char kResolutionArm[] = "oracle-res";

// One trained cell of the table.
struct ArmRun {
  std::string arm;
  int n_real = 0;
  std::uint64_t seed = 0;
  std::string cohort;  // that the real images come from
  // Where a recipe trains on several cohorts, labels name theirs.
  bool name_cohort = false;
  // A run of the dose-response table: only the first so many of the arm's
  // synthetic images; 0: all of them.
  int synthetic = 0;

  // "concat-n5-s0", "concat-hc18-n5-s0", "concat-n5-k20-s0".
  std::string label() const;
};

// The arm of a recipe that only generates: images without outline.
inline constexpr char kImagesArm[] = "images";

// In the order of work. The ceiling real-100 comes once a cohort and seed, with
// its own number of images; runs of experiment.synthetic_counts come last.
std::vector<ArmRun> arm_runs(const Recipe& recipe);

// The run whose synthetic images a run uses: itself (with all of them), or with
// experiment.generator_images one that all N share.
ArmRun generator_run(const Recipe& recipe, const ArmRun& run);

// The run of the real images that the ceilings use.
ArmRun ceiling_run(const Recipe& recipe, const ArmRun& run);
bool asks_for_detector(const ExperimentConfig& config);

// Runs that say where N real images come from, one for each training cohort, N
// and seed of `arm_runs`: for detectors; and those of experiment.n_real, for
// mean masks.
std::vector<ArmRun> subset_runs(const Recipe& recipe);
std::vector<ArmRun> mean_mask_runs(const Recipe& recipe);

}  // namespace sono
