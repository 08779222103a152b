// The plan of a recipe, counted from its options alone.

#include <gtest/gtest.h>

#include <algorithm>

#include "experiments/plan/plan_text.h"

namespace sono {
namespace {

Recipe phantom_recipe() {
  Recipe recipe;
  recipe.data.cohorts = {"a", "b"};
  recipe.data.sources = {{"a", "phantom:curved"}, {"b", "phantom:portable"}};
  recipe.data.train = {"a"};
  recipe.data.phantom_count = 30;
  recipe.experiment.n_real = {5, 10};
  recipe.experiment.arms = {"none", "sdedit", "concat", "joint"};
  recipe.experiment.seeds = 2;
  recipe.experiment.prompts = {"gt-box", "frame"};
  return recipe;
}

std::ptrdiff_t count(const Plan& plan, Work work) {
  return std::count_if(plan.stages.begin(), plan.stages.end(),
                       [&](const PlannedStage& s) { return s.work == work; });
}

TEST(Plan, CountsRunsStagesAndEvaluations) {
  const Plan plan = make_plan(phantom_recipe());
  EXPECT_EQ(plan.runs.size(), 16u);
  EXPECT_EQ(count(plan, Work::kPhantoms), 2);
  EXPECT_EQ(count(plan, Work::kPretrain), 2);  // sdedit shares concat's
  EXPECT_EQ(count(plan, Work::kAdapt), 8);
  EXPECT_EQ(count(plan, Work::kGenerate), 12);
  EXPECT_EQ(count(plan, Work::kTune), 16);
  // Five boxes and one frame, two cohorts.
  EXPECT_EQ(plan.run_evaluations, 16 * 6 * 2);
  // Zero-shot answers 6, the blind ellipse 5, four mean masks 1 each.
  EXPECT_EQ(plan.cells, (16 * 6 + 6 + 5 + 4) * 2);
  EXPECT_EQ(plan.cohorts.at(0).train, 20);
  EXPECT_EQ(plan.cohorts.at(0).test, 10);
  EXPECT_EQ(plan.cohorts.at(1).test, 30);
  EXPECT_EQ(plan.predictions, (16 * 6 + 6 + 5 + 4) * 40);
}

TEST(Plan, NamesWhatIsMissingWithItsRemedy) {
  Recipe recipe = phantom_recipe();
  recipe.data.cohorts.push_back("hospital");
  recipe.data.sources["b"] = "/nowhere/at/all";
  const Plan plan = make_plan(recipe);
  ASSERT_GE(plan.missing.size(), 2u);
  EXPECT_NE(plan.missing.at(0).find("--set data.hospital=FOLDER"),
            std::string::npos);
  EXPECT_NE(plan.missing.at(1).find("/nowhere/at/all"), std::string::npos);
  EXPECT_FALSE(plan.cohorts.at(2).known);
}

TEST(Plan, MoreRanksTakeLessTimeUntilLanesRunOut) {
  const Recipe recipe = phantom_recipe();
  UnitCosts costs;
  costs.adapt_lane = 1;
  const PlannedStage stage{"adapt", Work::kAdapt, 10};
  EXPECT_EQ(stage_seconds(recipe, stage, costs, 1), 80);
  EXPECT_EQ(stage_seconds(recipe, stage, costs, 3), 30);
  EXPECT_EQ(stage_seconds(recipe, stage, costs, 8), 10);
  EXPECT_EQ(stage_seconds(recipe, stage, costs, 16), 10);
}

TEST(Plan, TheTextSaysWhatIsFinished) {
  const Recipe recipe = phantom_recipe();
  Plan plan = make_plan(recipe);
  UnitCosts costs;
  costs.adapt_lane = 3600;
  for (PlannedStage& stage : plan.stages) {
    stage.finished = stage.name != "adapt-joint-n5-s0";
  }
  const std::string text = plan_text({recipe, plan, costs, 1, "runs/x"});
  EXPECT_NE(text.find("adapt-concat-n5-s0"), std::string::npos);
  EXPECT_NE(text.find("finished"), std::string::npos);
  // 250 steps of 8 lanes of an hour.
  EXPECT_NE(text.find("estimate: 2000 h"), std::string::npos) << text;
}

}  // namespace
}  // namespace sono
