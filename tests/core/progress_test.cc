#include "core/progress.h"

#include <gtest/gtest.h>

namespace sono {
namespace {

const std::string kText = "  9% 27/300 step  4.21 step/s  ETA 1 min 05 s";

TEST(ProgressBarTest, HasLabelBarAndText) {
  EXPECT_EQ(progress_bar("tune", 0.5, "50%", 80),
            "tune                     [##########..........] 50%");
}

TEST(ProgressBarTest, NeverFillsALine) {
  for (const int columns : {200, 80, 60, 40, 20, 2}) {
    const std::string line =
        progress_bar("pretrain concat", 0.3, kText, columns);
    EXPECT_LT(line.size(), static_cast<std::size_t>(columns));
  }
}

TEST(ProgressBarTest, GivesUpTheBarBeforeTheText) {
  const std::string line = progress_bar("pretrain concat", 0.3, kText, 80);
  EXPECT_NE(line.find("[#"), std::string::npos);
  EXPECT_NE(line.find(kText), std::string::npos);
  EXPECT_EQ(progress_bar("pretrain concat", 0.3, kText, 64),
            "pretrain concat " + kText);
}

TEST(ProgressBarTest, StaysInBounds) {
  EXPECT_EQ(progress_bar("a", 7, "b", 80).find('.'), std::string::npos);
  EXPECT_EQ(progress_bar("a", -1, "b", 80).find('#'), std::string::npos);
}

}  // namespace
}  // namespace sono
