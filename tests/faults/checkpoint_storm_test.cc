// SIGKILL at random instants over training and saving, restart on a random
// number of ranks: the newest checkpoint is always whole, progress is never
// lost, and the bytes at the end are those of an undisturbed run. KILLS says
// how often (12), SEED repeats a storm.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/random.h"
#include "dist/checkpoint/verify.h"
#include "tests/dist/test_world.h"
#include "tests/faults/storm_training.h"

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

struct LifePlan {
  bool processes;  // under mpirun, else threads of one process
  int ranks;
  int zero_stage;
};

// One start of the training in `dir`, as a child of this process.
class Life {
 public:
  Life(const LifePlan& plan, const fs::path& root)
      : plan_(plan), root_(root), pids_(root / "pids") {
    fs::remove_all(pids_);
    fs::create_directories(pids_);
    child_ = ::fork();
    if (child_ == 0) run_child();
  }

  // Kills what still runs after `seconds`; false when it had ended by itself.
  bool kill_after(double seconds, Random& random) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    if (::waitpid(child_, &status_, WNOHANG) == child_) return false;
    if (plan_.processes) {
      // One rank alone, or all at once; mpirun ends the others.
      std::vector<pid_t> ranks = rank_processes();
      const bool all = ranks.empty() || random.below(2) == 0;
      if (!all) ranks = {ranks[random.below(ranks.size())]};
      for (const pid_t pid : ranks) ::kill(pid, SIGKILL);
      if (all) ::kill(child_, SIGKILL);
    } else {
      ::kill(child_, SIGKILL);
    }
    wait();
    return true;
  }

  // Until every process is gone; the exit code.
  int wait() {
    const auto start = Clock::now();
    while (::waitpid(child_, &status_, WNOHANG) == 0) {
      if (seconds_since(start) > 120) ::kill(child_, SIGKILL);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    while (!rank_processes().empty() && seconds_since(start) < 120) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_TRUE(rank_processes().empty()) << "a rank outlived mpirun";
    return exit_code();
  }
  int exit_code() const {
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128;
  }

 private:
  [[noreturn]] void run_child() {
    const int log =
        ::open((root_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
    ::dup2(log, 1);
    ::dup2(log, 2);
    if (plan_.processes) run_processes();
    try {
      run_local_ranks(plan_.ranks, [&](Communicator& comm) {
        train_storm(comm, root_ / "run", plan_.zero_stage);
      });
      ::_exit(0);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
      ::_exit(1);
    }
  }

  // The same program under mpirun, in the test OneLifeUnderMpirun below.
  [[noreturn]] void run_processes() {
    ::setenv("STORM_ROOT", root_.c_str(), 1);
    ::setenv("STORM_STAGE", std::to_string(plan_.zero_stage).c_str(), 1);
    const std::string ranks = std::to_string(plan_.ranks);
    const std::string program = fs::read_symlink("/proc/self/exe");
    ::execlp("mpirun", "mpirun", "--oversubscribe", "--bind-to", "none", "-n",
             ranks.c_str(), program.c_str(),
             "--gtest_filter=StormLife.OneLifeUnderMpirun", nullptr);
    ::_exit(127);
  }

  // Those of this life that still run.
  std::vector<pid_t> rank_processes() const {
    std::vector<pid_t> pids;
    const fs::path self = fs::read_symlink("/proc/self/exe");
    for (const auto& entry : fs::directory_iterator(pids_)) {
      const std::string name = entry.path().filename();
      std::error_code gone;
      if (fs::read_symlink("/proc/" + name + "/exe", gone) == self) {
        pids.push_back(std::stoi(name));
      }
    }
    return pids;
  }

  LifePlan plan_;
  fs::path root_;
  fs::path pids_;
  pid_t child_;
  int status_ = 0;
};

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
  int unfinished_ = 0;  // kills that fell into a save
  int ends_ = 0;        // runs that came to their end
};

TEST_F(CheckpointStormTest, NewestCheckpointIsWholeAndTheEndIsTheSame) {
  const int wanted = from_environment("KILLS", 12);
  Random random(make_key("storm", from_environment("SEED", 1)));
  const double calm[2] = {calm_seconds(false), calm_seconds(true)};
  int under_mpirun = 0;
  while (kills_ < wanted && !HasFailure()) {
    const LifePlan plan{random.below(3) == 0,
                        static_cast<int>(random.below(4)) + 1,
                        static_cast<int>(random.below(3))};
    Life life(plan, root_);
    if (life.kill_after(random.uniform(0, calm[plan.processes]), random)) {
      ++kills_;
      under_mpirun += plan.processes;
      check_newest();
    } else {
      EXPECT_EQ(life.exit_code(), 0) << read_file(root_ / "log");
      check_end();
    }
  }
  Life last({false, 3, 1}, root_);
  EXPECT_EQ(last.wait(), 0) << read_file(root_ / "log");
  check_end();
  EXPECT_EQ(unreadable_, 0);
  std::printf(
      "%d kills (%d under mpirun), %d of them in a save; %d unreadable newest "
      "checkpoints; %d runs ended with the same bytes; a calm run takes %.1f s "
      "in threads, %.1f s under mpirun\n",
      kills_, under_mpirun, unfinished_, unreadable_, ends_, calm[0], calm[1]);
}

TEST(StormLife, OneLifeUnderMpirun) {
  const char* root = std::getenv("STORM_ROOT");
  if (root == nullptr) GTEST_SKIP() << "started by the storm";
  std::ofstream(fs::path(root) / "pids" / std::to_string(::getpid()));
  const auto comm = make_mpi_communicator(mpi_session(), 60);
  train_storm(*comm, fs::path(root) / "run",
              from_environment("STORM_STAGE", 0));
}

}  // namespace
}  // namespace sono
