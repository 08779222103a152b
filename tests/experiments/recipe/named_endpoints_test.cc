#include "experiments/named_endpoints.h"

#include <gtest/gtest.h>

namespace sono {
namespace {

TEST(NamedEndpoints, AreThoseOfTheProtocol) {
  Recipe recipe;  // hc18 and spain, trained on hc18
  recipe.experiment.prompts = {"gt-box", "frame", "self", "detector"};
  const SummaryOptions named = named_endpoints(recipe);
  EXPECT_EQ(named.endpoint_treatment, "concat");
  EXPECT_EQ(named.endpoint_control, "us-aug");
  EXPECT_EQ(named.endpoint_cohort, "hc18");
  EXPECT_EQ(named.endpoint_n_real, 5);
  ASSERT_EQ(named.secondary.size(), 3u);
  EXPECT_EQ(named.secondary[0].cohort, "spain");
  EXPECT_EQ(named.secondary[0].metric, "dice");
  EXPECT_EQ(named.secondary[1].cohort, "hc18");
  EXPECT_EQ(named.secondary[1].metric, "hc_abs_error_pct");
  EXPECT_EQ(named.secondary[2].prompt, "detector");
}

TEST(NamedEndpoints, NameOnlyWhatTheRecipeScores) {
  Recipe recipe;
  recipe.data.test = {"hc18"};
  const SummaryOptions named = named_endpoints(recipe);
  ASSERT_EQ(named.secondary.size(), 1u);
  EXPECT_EQ(named.secondary[0].metric, "hc_abs_error_pct");
}

TEST(NamedEndpoints, OfThePapersProtocolIsItsOwnQuestionAlone) {
  Recipe recipe;
  recipe.experiment.protocol = "wang";
  recipe.data.test = {"spain"};
  const SummaryOptions named = named_endpoints(recipe);
  EXPECT_EQ(named.endpoint_treatment, "joint");
  EXPECT_EQ(named.endpoint_prompt, "gt-box");
  EXPECT_EQ(named.endpoint_cohort, "spain");
  EXPECT_TRUE(named.secondary.empty());
}

}  // namespace
}  // namespace sono
