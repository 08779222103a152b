// A protocol sets the options it stands for, and old keys outlive new options.

#include "experiments/protocol.h"

#include <gtest/gtest.h>

namespace sono {
namespace {

TEST(Protocol, WangSetsWhatTheirCodeDid) {
  Recipe recipe;
  OptionTable table;
  describe(table, recipe);
  EXPECT_FALSE(apply_protocol("equal-work", table));
  EXPECT_EQ(recipe.tune.epochs, 0);
  ASSERT_TRUE(apply_protocol("wang", table));
  EXPECT_EQ(recipe.tune.epochs, 20);
  EXPECT_EQ(recipe.tune.mix, "union");
  EXPECT_EQ(recipe.tune.train_prompt, "gt-box");
  EXPECT_EQ(recipe.tune.frame, "squash");
  EXPECT_EQ(recipe.tune.augmented_box, "before");
  EXPECT_EQ(recipe.segment.learning_rate, 1e-5);
  EXPECT_EQ(recipe.experiment.jitter_px, 19);
  recipe.validate();
}

// Keys of stages and runs are made of these: an option that came later must not
// change them while it is left alone.
TEST(Protocol, OptionsThatCameLaterAreHashedOnlyWhenSet) {
  Recipe recipe;
  OptionTable table;
  describe(table, recipe);
  for (const char* name :
       {"segment.epochs", "segment.mix", "segment.train_prompt",
        "segment.jitter_px", "segment.frame", "segment.augmented_box",
        "experiment.jitter_px", "experiment.generator_images", "data.test",
        "experiment.protocol", "experiment.ceiling_images"}) {
    EXPECT_FALSE(table.results().contains(name)) << name;
  }
  table.set("segment.mix", "union");
  EXPECT_EQ(table.results({"segment"}).at("segment.mix"), "union");
  table.set("segment.mix", "half");
  EXPECT_FALSE(table.results().contains("segment.mix"));
}

}  // namespace
}  // namespace sono
