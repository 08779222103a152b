// What the report says of a ceiling, from the summary alone.

#include "experiments/report/sentences.h"

#include <gtest/gtest.h>

#include "experiments/report/summary.h"

namespace sono {
namespace {

Case row(const std::string& arm, int n_real, double dice) {
  Case row;
  row.arm = arm;
  row.train_cohort = "hc18";
  row.cohort = "hc18";
  row.prompt = "frame";
  row.n_real = n_real;
  row.subset_seed = row.train_seed = 0;
  row.exam = row.image = "1";
  row.dice = dice;
  row.status = "ok";
  return row;
}

std::string all_sentences(double ceiling) {
  const std::vector<Case> cases = {
      row("none", 5, 0.80), row("us-aug", 5, 0.84), row("concat", 5, 0.86),
      row("none", 20, 0.89), row("real-100", 100, ceiling)};
  std::string text;
  for (const auto& sentence : verdict_sentences(summarize(cases))) {
    text += sentence + "\n";
  }
  return text;
}

TEST(Sentences, SayHowMuchOfTheWayToTheCeilingEachArmCloses) {
  const std::string text = all_sentences(0.90);
  EXPECT_NE(text.find("of the 10.0 Dice points from 5 real images to 100"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("concat 60 %"), std::string::npos) << text;
  EXPECT_NE(text.find("us-aug 40 %"), std::string::npos) << text;
  EXPECT_EQ(text.find("none 0 %"), std::string::npos) << text;
}

TEST(Sentences, SayWhenThereIsNoWayToGo) {
  const std::string text = all_sentences(0.79);
  EXPECT_NE(text.find("there is no gap to close"), std::string::npos) << text;
  EXPECT_EQ(text.find("60 %"), std::string::npos) << text;
}

}  // namespace
}  // namespace sono
