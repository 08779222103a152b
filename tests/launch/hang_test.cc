// `sonoforge hang` on recordings made here.

#include <chrono>
#include <thread>

#include "core/atomic_file.h"
#include "dist/recorder/rank_files.h"
#include "tests/data/shards/temporary_folder.h"
#include "tests/dist/recorder/recorder_options.h"
#include "tests/launch/program.h"

namespace sono {
namespace {

// Waits of less than two seconds are no stall while a job is at work.
constexpr auto kPastPatience = std::chrono::milliseconds(2200);

class HangTest : public ::testing::Test {
 protected:
  std::string hang(const std::filesystem::path& folder) const {
    return "hang " + folder.string();
  }
  TemporaryFolder folder_;
  FlightRecorder zero_{recorder_options(folder_.path(), 0)};
  FlightRecorder one_{recorder_options(folder_.path(), 1)};
};

TEST_F(HangTest, NamesTheRankThatNeverEntered) {
  zero_.done(zero_.begin_now({"broadcast", 0, 1}));
  one_.done(one_.begin_now({"broadcast", 0, 1}));
  zero_.set_phase(Phase::kReduce, 7);
  one_.set_phase(Phase::kForward, 7);
  zero_.begin_now({"all_reduce", 0, 2});
  std::this_thread::sleep_for(kPastPatience);
  expect_result(hang(folder_.path()), 4,
                {"rank 1 on host1", "never entered all_reduce (number 2",
                 "phase forward of step 7", "rank 0 on host0", "waits in"});
}

TEST_F(HangTest, NamesRanksOutOfStep) {
  zero_.begin_now({"broadcast", 0, 1});
  one_.begin_now({"all_gather", 0, 1});
  expect_result(hang(folder_.path()), 4,
                {"out of step", "broadcast", "all_gather"});
}

TEST_F(HangTest, ARunsFolderHoldsCopiesAndStatuses) {
  const TemporaryFolder run;
  const auto shared = recorder_folder(run.path());
  make_directories(shared);
  zero_.set_shared_folder(shared);
  zero_.begin_now({"all_reduce", 0, 1});
  // Of rank 1 there is a status alone; its ring cannot be seen from here.
  RankView far = one_.view();
  far.ring = "/elsewhere";
  ASSERT_TRUE(write_status(status_path(shared, 1), far));
  std::this_thread::sleep_for(kPastPatience);
  zero_.beat();
  ASSERT_EQ(zero_.keep(), "");
  expect_result(hang(run.path()), 4,
                {"rank 1 on host1", "never entered all_reduce"});
}

TEST_F(HangTest, SaysWhereNothingIsWrong) {
  zero_.done(zero_.begin_now({"barrier", 0, 1}));
  one_.done(one_.begin_now({"barrier", 0, 1}));
  expect_result(hang(folder_.path()), 0,
                {"no stuck rank", "rank 0 on host0", "done with barrier"});
  const TemporaryFolder empty;
  expect_result(hang(empty.path()), 0, {"no recordings"});
  expect_result("hang /no/such/folder", 3, {"/no/such/folder"});
}

}  // namespace
}  // namespace sono
