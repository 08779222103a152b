#include "tests/faults/storm_life.h"

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

#include "tests/dist/test_world.h"
#include "tests/faults/storm_training.h"

namespace fs = std::filesystem;

namespace sono {

Life::Life(const LifePlan& plan, const fs::path& root)
    : plan_(plan), root_(root), pids_(root / "pids") {
  fs::remove_all(pids_);
  fs::create_directories(pids_);
  child_ = ::fork();
  if (child_ == 0) run_child();
}

bool Life::kill_after(double seconds, Random& random) {
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

int Life::wait() {
  constexpr auto kLimit = std::chrono::seconds(120);
  const auto end = std::chrono::steady_clock::now() + kLimit;
  const auto late = [&] { return std::chrono::steady_clock::now() > end; };
  while (::waitpid(child_, &status_, WNOHANG) == 0) {
    if (late()) ::kill(child_, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  while (!rank_processes().empty() && !late()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(rank_processes().empty()) << "a rank outlived mpirun";
  return exit_code();
}

int Life::exit_code() const {
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128;
}

void Life::run_child() {
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

// The same program under mpirun, in the test StormLife.OneLifeUnderMpirun.
void Life::run_processes() {
  ::setenv("STORM_ROOT", root_.c_str(), 1);
  ::setenv("STORM_STAGE", std::to_string(plan_.zero_stage).c_str(), 1);
  // What a killed mpirun leaves behind goes with the storm's folder.
  ::setenv("OMPI_MCA_orte_tmpdir_base", root_.c_str(), 1);
  ::setenv("OMPI_MCA_btl_vader_backing_directory", root_.c_str(), 1);
  const std::string ranks = std::to_string(plan_.ranks);
  const std::string program = fs::read_symlink("/proc/self/exe");
  ::execlp("mpirun", "mpirun", "--oversubscribe", "--bind-to", "none", "-n",
           ranks.c_str(), program.c_str(),
           "--gtest_filter=StormLife.OneLifeUnderMpirun",
           static_cast<char*>(nullptr));
  ::_exit(127);
}

std::vector<pid_t> Life::rank_processes() const {
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

bool run_as_rank_of_a_life() {
  const char* root = std::getenv("STORM_ROOT");
  const char* stage = std::getenv("STORM_STAGE");
  if (root == nullptr || stage == nullptr) return false;
  // Before MPI begins, so that whoever kills this life knows all its ranks.
  std::ofstream(fs::path(root) / "pids" / std::to_string(::getpid()));
  const auto comm = make_mpi_communicator(mpi_session(), 60);
  train_storm(*comm, fs::path(root) / "run", std::atoi(stage));
  return true;
}

}  // namespace sono
