// Which runs a recipe makes, what they are called, how long they train.

#include "experiments/arms.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace sono {
namespace {

std::vector<std::string> labels(const std::vector<ArmRun>& runs) {
  std::vector<std::string> text;
  for (const ArmRun& run : runs) text.push_back(run.label());
  return text;
}

Recipe small_recipe() {
  Recipe recipe;
  recipe.experiment.arms = {"none", "sdedit"};
  recipe.experiment.n_real = {5, 20};
  recipe.experiment.seeds = 1;
  return recipe;
}

TEST(Arms, OneTrainingCohortIsNotNamed) {
  EXPECT_EQ(labels(arm_runs(small_recipe())),
            (std::vector<std::string>{"none-n5-s0", "sdedit-n5-s0",
                                      "none-n20-s0", "sdedit-n20-s0"}));
}

TEST(Arms, SeveralTrainingCohortsAreNamed) {
  Recipe recipe = small_recipe();
  recipe.data.train = {"hc18", "spain"};
  recipe.experiment.arms = {"none"};
  EXPECT_EQ(
      labels(arm_runs(recipe)),
      (std::vector<std::string>{"none-hc18-n5-s0", "none-hc18-n20-s0",
                                "none-spain-n5-s0", "none-spain-n20-s0"}));
}

TEST(Arms, TheCeilingComesOnceASeedWithItsOwnNumber) {
  Recipe recipe = small_recipe();
  recipe.experiment.arms = {"none", "real-100"};
  recipe.experiment.seeds = 2;
  const auto found = labels(arm_runs(recipe));
  EXPECT_EQ(found.size(), 6u);
  EXPECT_EQ(found.at(0), "real-100-n100-s0");
  EXPECT_EQ(found.at(1), "real-100-n100-s1");
}

TEST(Arms, GeneratorImagesAreSharedByAllN) {
  Recipe recipe = small_recipe();
  const ArmRun run = arm_runs(recipe).at(1);
  EXPECT_EQ(generator_run(recipe, run).label(), "sdedit-n5-s0");
  recipe.experiment.generator_images = 60;
  EXPECT_EQ(generator_run(recipe, run).label(), "sdedit-n60-s0");
  EXPECT_EQ(generator_mode("sdedit"), "concat");
}

TEST(Arms, SyntheticCountsComeLastAndShareThePool) {
  Recipe recipe = small_recipe();
  recipe.experiment.n_real = {5};
  recipe.experiment.arms = {"none", "us-aug", "phantom", "sdedit"};
  recipe.experiment.synthetic_counts = {10, 50};
  const auto runs = arm_runs(recipe);
  EXPECT_EQ(labels(runs),
            (std::vector<std::string>{"none-n5-s0", "us-aug-n5-s0",
                                      "phantom-n5-s0", "sdedit-n5-s0",
                                      "phantom-n5-k10-s0", "phantom-n5-k50-s0",
                                      "sdedit-n5-k10-s0", "sdedit-n5-k50-s0"}));
  EXPECT_EQ(generator_run(recipe, runs.back()).label(), "sdedit-n5-s0");
  EXPECT_EQ(subset_runs(recipe).size(), 1u);
  recipe.experiment.synthetic_counts = {101};  // of a pool of 100
  EXPECT_THROW(recipe.validate(), ConfigError);
}

TEST(Arms, SubsetRunsNameEachSubsetOnce) {
  EXPECT_EQ(subset_runs(small_recipe()).size(), 2u);
}

TEST(Arms, EpochsCountImagesAndStepsDoNot) {
  Recipe recipe = small_recipe();
  EXPECT_EQ(tuning_steps(recipe, 5), recipe.segment.steps);
  recipe.tune.epochs = 20;
  // Wang et al. 2025: 20 updates at N = 5, 2,000 with 495 synthetic images.
  EXPECT_EQ(tuning_steps(recipe, 5), 20);
  EXPECT_EQ(tuning_steps(recipe, 500), 2000);
  EXPECT_EQ(tuning_steps(recipe, 6), 40);
}

}  // namespace
}  // namespace sono
