#include "dist/stop_signal.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>

namespace sono {
namespace {

// In a process of its own; `signals` are sent one after the other.
void take(std::initializer_list<int> signals) {
  StopSignal::install_handlers();
  for (const int number : signals) ::raise(number);
  std::exit(StopSignal().requested() ? 75 : 0);
}

TEST(StopSignalDeathTest, EachSignalIsAWish) {
  for (const int number : {SIGUSR1, SIGUSR2, SIGTERM, SIGINT}) {
    EXPECT_EXIT(take({number}), ::testing::ExitedWithCode(75), "");
  }
  EXPECT_EXIT(take({}), ::testing::ExitedWithCode(0), "");
}

// What a step of Slurm gets when its job is requeued.
TEST(StopSignalDeathTest, ADifferentOneLeavesTimeToSave) {
  EXPECT_EXIT(take({SIGUSR1, SIGTERM, SIGUSR1}), ::testing::ExitedWithCode(75),
              "");
  EXPECT_EXIT(take({SIGTERM, SIGUSR1, SIGINT}), ::testing::ExitedWithCode(75),
              "");
}

TEST(StopSignalDeathTest, TheSameOneAgainEndsAtOnce) {
  EXPECT_EXIT(take({SIGTERM, SIGTERM}), ::testing::KilledBySignal(SIGTERM), "");
  EXPECT_EXIT(take({SIGINT, SIGUSR1, SIGINT}),
              ::testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace sono
