// Which images a LoRA learns from and what its samples are asked for.

#include "experiments/latent_groups.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

// Twelve images; image i is of trimester `trimester(i)` and class `label(i)`.
StudyCohort cohort_of(const std::function<void(int, CohortEntry&)>& describe) {
  std::vector<CohortEntry> entries;
  for (int i = 0; i < 12; ++i) {
    CohortEntry entry;
    entry.info.id = entry.info.exam = "image" + std::to_string(10 + i);
    describe(i, entry);
    entries.push_back(entry);
  }
  StudyCohort study;
  study.name = "hc18";
  study.cohort =
      std::make_unique<Cohort>("hc18", "folder", entries, MaskPolicy::kAuto);
  for (std::size_t i = 0; i < entries.size(); ++i) study.train.push_back(i);
  return study;
}

Recipe by_trimester(int generator_images) {
  Recipe recipe;
  recipe.experiment.generator_images = generator_images;
  recipe.stable_diffusion.lora_per = "trimester";
  recipe.stable_diffusion.caption = "a head, {trimester} trimester";
  recipe.stable_diffusion.plain_caption = "a head";
  return recipe;
}

const ArmRun kRun{"joint", 6, 0, "hc18"};

TEST(LatentGroups, EachTrimesterHasItsOwn) {
  const StudyCohort cohort = cohort_of([](int i, CohortEntry& entry) {
    entry.info.trimester = i < 3 ? 1 : i < 10 ? 2 : 0;
  });
  const auto groups = latent_groups(by_trimester(4), cohort, kRun);
  ASSERT_EQ(groups.size(), 2u);  // the two of no known trimester are left out
  EXPECT_EQ(groups[0].name, "first");
  EXPECT_EQ(groups[0].images.size(), 3u);  // there are no more
  EXPECT_EQ(groups[1].images.size(), 4u);
  EXPECT_EQ(groups[1].prompts,
            (std::vector<std::string>{"a head, second trimester"}));
  for (std::size_t i : groups[1].images) EXPECT_TRUE(i >= 3 && i < 10);
}

TEST(LatentGroups, TheCircumferenceTellsTheTrimester) {
  SampleInfo info;
  EXPECT_EQ(trimester_of(info), 0);
  info.hc_reference_mm = 80;
  EXPECT_EQ(trimester_of(info), 1);
  info.hc_reference_mm = 180;
  EXPECT_EQ(trimester_of(info), 2);
  info.hc_reference_mm = 300;
  EXPECT_EQ(trimester_of(info), 3);
  info.trimester = 1;  // what the cohort says wins
  EXPECT_EQ(trimester_of(info), 1);
}

TEST(LatentGroups, WithoutTrimestersThereIsOneGroupWithThePlainCaption) {
  const StudyCohort cohort = cohort_of([](int, CohortEntry&) {});
  const auto groups = latent_groups(by_trimester(5), cohort, kRun);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].name, "");
  EXPECT_EQ(groups[0].images.size(), 5u);
  EXPECT_EQ(groups[0].caption, "a head");
}

TEST(LatentGroups, ZeroTakesTheRunsOwnImages) {
  Recipe recipe = by_trimester(0);
  const StudyCohort cohort =
      cohort_of([](int, CohortEntry& entry) { entry.info.trimester = 2; });
  const auto groups = latent_groups(recipe, cohort, kRun);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].images.size(), 6u);
  EXPECT_EQ(groups[0].name, "second");
}

TEST(LatentGroups, LabelsAreTakenInTurn) {
  Recipe recipe;
  recipe.experiment.generator_images = 2;
  recipe.stable_diffusion.caption = "a plane, {label}";
  const StudyCohort cohort = cohort_of([](int i, CohortEntry& entry) {
    entry.label = i % 3 == 0 ? "brain" : "femur";
  });
  const auto groups = latent_groups(recipe, cohort, kRun);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].images.size(), 4u);  // two of each
  EXPECT_EQ(groups[0].caption, "a plane, {label}");
  EXPECT_EQ(groups[0].prompts,
            (std::vector<std::string>{"a plane, brain", "a plane, femur"}));
}

TEST(LatentGroups, CaptionsThatCannotBeFilledAreRefused) {
  const StudyCohort cohort = cohort_of([](int, CohortEntry&) {});
  Recipe labels;
  labels.stable_diffusion.caption = "{label}";
  EXPECT_ERROR(latent_groups(labels, cohort, kRun), ConfigError,
               "no class folders");
  Recipe trimesters = by_trimester(2);
  trimesters.stable_diffusion.lora_per = "all";
  EXPECT_ERROR(latent_groups(trimesters, cohort, kRun), ConfigError,
               "lora_per = trimester");
}

}  // namespace
}  // namespace sono
