// The watchdog speaks when it must and not before, and names the right rank.
// Deadlines here: start 2 s, step 0.6 s.

#include "dist/recorder/watchdog.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>

#include "tests/data/shards/temporary_folder.h"
#include "tests/dist/recorder/recorder_options.h"

namespace sono {
namespace {

using std::chrono::duration;

// A rank whose watchdog tells the test instead of ending the process.
class WatchedRank {
 public:
  WatchedRank(const std::filesystem::path& folder, int rank)
      : recorder(recorder_options(folder, rank)),
        board(recorder),
        watchdog(std::make_unique<Watchdog>(
            recorder, board, [this](const Stall& stall) {
              const std::lock_guard lock(mutex_);
              stall_ = stall;
              changed_.notify_all();
            })) {}

  // The stall, if there is one within `seconds`.
  std::optional<Stall> stall_within(double seconds) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, duration<double>(seconds),
                      [&] { return stall_.has_value(); });
    return stall_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Stall> stall_;

 public:
  FlightRecorder recorder;
  PeerBoard board;
  std::unique_ptr<Watchdog> watchdog;
};

class WatchdogTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  WatchedRank zero_{folder_.path(), 0};
  WatchedRank one_{folder_.path(), 1};
};

void expect_named(const std::optional<Stall>& stall, int culprit,
                  const std::string& part) {
  ASSERT_TRUE(stall);
  EXPECT_EQ(stall->diagnosis.culprits, std::vector<int>{culprit})
      << stall->message;
  EXPECT_NE(stall->message.find(part), std::string::npos) << stall->message;
}

TEST_F(WatchdogTest, AStepWithoutProgressIsAStall) {
  one_.recorder.set_phase(Phase::kStage, 0);
  zero_.recorder.set_phase(Phase::kForward, 3);
  expect_named(zero_.stall_within(5), 0, "phase forward of step 3");
  EXPECT_FALSE(one_.stall_within(0));
}

TEST_F(WatchdogTest, StageWorkHasTheLongDeadline) {
  zero_.recorder.set_phase(Phase::kStage, 0);
  EXPECT_FALSE(zero_.stall_within(1.3));
  expect_named(zero_.stall_within(10), 0, "phase stage");
}

TEST_F(WatchdogTest, ProgressOfAnyKindHoldsItBack) {
  zero_.recorder.set_phase(Phase::kGenerate, 0);
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(zero_.stall_within(0.1));
    zero_.recorder.tick();
  }
}

TEST_F(WatchdogTest, AStepWaitNamesWhoNeverCame) {
  one_.recorder.set_phase(Phase::kStage, 0);
  zero_.recorder.set_phase(Phase::kReduce, 3);
  zero_.recorder.begin_now({"all_reduce", 0, 1});
  expect_named(zero_.stall_within(5), 1, "rank 1 on host1");
}

TEST_F(WatchdogTest, AStepWaitIsPatientWhileTheOtherGetsOn) {
  zero_.recorder.set_phase(Phase::kReduce, 3);
  one_.recorder.set_phase(Phase::kForward, 3);
  zero_.recorder.begin_now({"all_reduce", 0, 1});
  for (int i = 0; i < 25; ++i) {
    EXPECT_FALSE(zero_.stall_within(0.1));
    one_.recorder.tick();
  }
  expect_named(one_.stall_within(5), 1, "phase forward of step 3");
}

TEST_F(WatchdogTest, ABarrierLastsWhileTheOthersWatchdogRuns) {
  zero_.recorder.set_phase(Phase::kStage, 0);
  one_.recorder.set_phase(Phase::kStage, 0);
  zero_.recorder.begin_now({"barrier", 0, 1});
  // Rank 1 works without a sign of progress, but it is alive.
  EXPECT_FALSE(zero_.stall_within(1.8));
  one_.watchdog.reset();  // as when its process is stopped
  expect_named(zero_.stall_within(5), 1, "never entered barrier");
}

TEST_F(WatchdogTest, TwoWhoWaitForEachOtherAreOutOfStep) {
  zero_.recorder.set_phase(Phase::kStage, 0);
  one_.recorder.set_phase(Phase::kStage, 0);
  zero_.recorder.begin_now({"barrier", 0, 1});
  one_.recorder.done(one_.recorder.begin_now({"broadcast", 0, 1}));
  one_.recorder.begin_now({"barrier", 0, 2});
  const auto stall = zero_.stall_within(5);
  ASSERT_TRUE(stall);
  EXPECT_NE(stall->message.find("out of step"), std::string::npos)
      << stall->message;
}

TEST_F(WatchdogTest, StatusesInTheSharedFolderStandInForRings) {
  const TemporaryFolder shared;
  // Rank 1 runs on another host: its ring lies where rank 0 cannot see it.
  const TemporaryFolder elsewhere;
  WatchedRank far(elsewhere.path(), 1);
  one_.watchdog.reset();
  std::filesystem::remove(one_.recorder.path());
  far.recorder.set_phase(Phase::kStage, 0);
  far.recorder.set_shared_folder(shared.path());
  zero_.recorder.set_shared_folder(shared.path());
  zero_.recorder.set_phase(Phase::kStage, 0);
  zero_.recorder.begin_now({"barrier", 0, 1});
  EXPECT_FALSE(zero_.stall_within(1.8));
  far.watchdog.reset();
  expect_named(zero_.stall_within(5), 1, "rank 1 on host1");
}

TEST_F(WatchdogTest, TheEndHasADeadlineOfItsOwn) {
  zero_.recorder.set_phase(Phase::kForward, 0);
  zero_.watchdog->expect_end();
  EXPECT_FALSE(zero_.stall_within(1.8));
}

TEST_F(WatchdogTest, ARankThatIsDoneIsNotStuck) {
  zero_.recorder.set_phase(Phase::kForward, 0);
  zero_.recorder.set_end(RingEnd::kDone);
  EXPECT_FALSE(zero_.stall_within(1.8));
}

}  // namespace
}  // namespace sono
