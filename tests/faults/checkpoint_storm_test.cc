// SIGKILL at random instants over training and saving, restart on a random
// number of ranks: the newest checkpoint is always whole, progress is never
// lost, and the bytes at the end are those of an undisturbed run. KILLS says
// how often (12), SEED repeats a storm.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/random.h"
#include "dist/checkpoint/verify.h"
#include "tests/dist/test_world.h"
#include "tests/faults/storm_life.h"

namespace sono {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

int from_environment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The names and SHA-256 of all files of a finished run.
std::string bytes_of(const fs::path& run) {
  std::vector<std::string> lines;
  for (const auto& entry : fs::recursive_directory_iterator(run)) {
    if (!entry.is_regular_file()) continue;
    lines.push_back(fs::relative(entry.path(), run).string() + " " +
                    sha256_file(entry.path()) + "\n");
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

// A third of the lives under mpirun; 1 to 4 ranks; stage 3 for numbers of ranks
// that divide the training's four lanes, as it demands.
LifePlan random_plan(Random& random) {
  const bool processes = random.below(3) == 0;
  const int ranks = static_cast<int>(random.below(4)) + 1;
  const int stage = static_cast<int>(random.below(ranks == 3 ? 3 : 4));
  return {processes, ranks, stage};
}

class CheckpointStormTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (under_mpi()) GTEST_SKIP() << "starts mpirun itself";
    root_ = fs::temp_directory_path() /
            ("sono_storm_" + std::to_string(::getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override {
    if (!root_.empty()) fs::remove_all(root_);
  }

  // Seconds of an undisturbed run; its bytes in `calm_`.
  double calm_seconds(bool processes) {
    fs::remove_all(root_ / "run");
    const auto start = Clock::now();
    Life life({processes, 2, 0}, root_);
    EXPECT_EQ(life.wait(), 0) << read_file(root_ / "log");
    const double seconds = seconds_since(start);
    const std::string bytes = bytes_of(root_ / "run");
    if (calm_.empty()) calm_ = bytes;
    EXPECT_EQ(bytes, calm_);
    fs::remove_all(root_ / "run");
    return seconds;
  }

  // After a kill: the newest checkpoint is whole and not older than before.
  void check_newest() {
    const auto all = list_checkpoints(root_ / "run");
    if (all.empty()) {
      EXPECT_EQ(newest_step_, 0) << "every checkpoint is gone";
      return;
    }
    try {
      const std::int64_t step = verify_checkpoint(all[0]).step;
      EXPECT_GE(step, newest_step_) << "progress was lost";
      newest_step_ = step;
    } catch (const Error& e) {
      ++unreadable_;
      ADD_FAILURE() << e.what();
    }
    for (const auto& entry : fs::directory_iterator(root_ / "run")) {
      if (!fs::exists(entry.path() / "manifest.json")) {
        ++unfinished_;
        break;
      }
    }
  }

  void check_end() {
    EXPECT_EQ(bytes_of(root_ / "run"), calm_) << "after " << kills_ << " kills";
    ++ends_;
    newest_step_ = 0;
    fs::remove_all(root_ / "run");
  }

  fs::path root_;
  std::string calm_;
  std::int64_t newest_step_ = 0;
  int kills_ = 0;
  int unreadable_ = 0;  // newest checkpoints
  int unfinished_ = 0;  // kills after which an unfinished save lay there
  int ends_ = 0;        // runs that came to their end
};

TEST_F(CheckpointStormTest, NewestCheckpointIsWholeAndTheEndIsTheSame) {
  const int wanted = from_environment("KILLS", 12);
  Random random(make_key("storm", from_environment("SEED", 1)));
  const double calm[2] = {calm_seconds(false), calm_seconds(true)};
  int under_mpirun = 0;
  while (kills_ < wanted && !HasFailure()) {
    const LifePlan plan = random_plan(random);
    Life life(plan, root_);
    if (life.kill_after(random.uniform(0, calm[plan.processes]), random)) {
      ++kills_;
      under_mpirun += plan.processes;
      check_newest();
    } else if (life.exit_code() == 0) {
      check_end();
    } else {
      ADD_FAILURE() << read_file(root_ / "log");
    }
  }
  ASSERT_FALSE(HasFailure()) << "after " << kills_ << " kills";
  Life last({false, 3, 1}, root_);
  ASSERT_EQ(last.wait(), 0) << read_file(root_ / "log");
  check_end();
  EXPECT_EQ(unreadable_, 0);
  std::printf(
      "%d kills (%d under mpirun), %d left an unfinished save; %d unreadable "
      "newest checkpoints; %d runs ended with the same bytes; a calm run takes "
      "%.1f s in threads, %.1f s under mpirun\n",
      kills_, under_mpirun, unfinished_, unreadable_, ends_, calm[0], calm[1]);
}

TEST(StormLife, OneLifeUnderMpirun) {
  if (!run_as_rank_of_a_life()) GTEST_SKIP() << "started by the storm";
}

}  // namespace
}  // namespace sono
