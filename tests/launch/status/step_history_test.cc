#include "launch/status/step_history.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

class StepHistoryTest : public ::testing::Test {
 protected:
  // A step that ends at `time` and took `seconds`, of 8 samples.
  void add(const std::string& label, int step, double time, double seconds) {
    std::ofstream(log_, std::ios::app)
        << R"({"event":"step","label":")" << label << R"(","step":)" << step
        << R"(,"time":)" << time << R"(,"samples_per_s":)" << 8 / seconds
        << "}\n";
  }
  void add_text(const std::string& text) {
    std::ofstream(log_, std::ios::app) << text;
  }

  TemporaryFolder folder_;
  std::filesystem::path log_ = folder_.path() / "log.jsonl";
  StepHistory history_{log_, [](const std::string&) { return 8.0; }};
};

TEST_F(StepHistoryTest, AnUndisturbedTrainingIsAllGood) {
  for (int step = 1; step <= 10; ++step) add("tune a", step, 100 + step, 1);
  history_.update();
  const Goodput goodput = history_.goodput();
  EXPECT_EQ(goodput.useful_steps, 10);
  EXPECT_EQ(goodput.repeated_steps, 0);
  EXPECT_DOUBLE_EQ(goodput.wall_seconds, 10);
  EXPECT_NEAR(goodput.share(), 1, 1e-9);
  EXPECT_EQ(history_.trainings().at("tune a").last_step, 10);
  EXPECT_NEAR(history_.trainings().at("tune a").step_seconds(), 1, 1e-9);
}

// Killed after step 6, goes on from a checkpoint of step 4 after 10 s.
TEST_F(StepHistoryTest, StepsDoneAgainAndWaitsAreNoGood) {
  for (int step = 1; step <= 6; ++step) add("tune a", step, 100 + step, 1);
  for (int step = 5; step <= 10; ++step) add("tune a", step, 112 + step, 1);
  history_.update();
  const Goodput goodput = history_.goodput();
  EXPECT_EQ(goodput.useful_steps, 10);
  EXPECT_EQ(goodput.repeated_steps, 2);
  EXPECT_DOUBLE_EQ(goodput.useful_seconds, 10);
  EXPECT_DOUBLE_EQ(goodput.wall_seconds, 22);
}

TEST_F(StepHistoryTest, WhatLiesBetweenTrainingsIsNotTheirs) {
  add("pretrain concat", 1, 101, 1);
  add("tune a", 1, 5000, 2);
  history_.update();
  EXPECT_DOUBLE_EQ(history_.goodput().wall_seconds, 3);
}

TEST_F(StepHistoryTest, ReadsOnFromWhereItWas) {
  add("tune a", 1, 101, 1);
  history_.update();
  add_text(R"({"event":"step","label":"tune a","st)");  // being written
  history_.update();
  EXPECT_EQ(history_.goodput().useful_steps, 1);
  add_text("ep\":2,\"time\":102,\"samples_per_s\":8}\n");
  add_text("cut off by a ki\n[1]\n{\"event\":7}\n{\"time\":1}\n");
  add_text(R"({"event":"stage","stage":"tune-a","seconds":12.5})"
           "\n");
  history_.update();
  EXPECT_EQ(history_.goodput().useful_steps, 2);
  EXPECT_EQ(history_.goodput().repeated_steps, 0);
  EXPECT_EQ(history_.stages().at("tune-a"), 12.5);
}

TEST_F(StepHistoryTest, NoLogIsNoStep) {
  history_.update();
  EXPECT_EQ(history_.goodput().share(), 0);
}

}  // namespace
}  // namespace sono
