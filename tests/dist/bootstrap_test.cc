// How a process finds out what started it.

#include "dist/bootstrap.h"

#include <gtest/gtest.h>

#include <csignal>
#include <map>

#include "core/error.h"
#include "dist/stop_signal.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

Environment of(std::map<std::string, std::string> values) {
  return [values = std::move(values)](
             const std::string& name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

TEST(BootstrapTest, StartedByHandIsAlone) {
  EXPECT_EQ(detect_launch(of({})), LaunchKind::kAlone);
}

TEST(BootstrapTest, MpirunAndPmixAreMpi) {
  EXPECT_EQ(detect_launch(of({{"OMPI_COMM_WORLD_SIZE", "2"}})),
            LaunchKind::kMpi);
  EXPECT_EQ(detect_launch(of({{"PMIX_RANK", "0"}, {"SLURM_STEP_ID", "0"}})),
            LaunchKind::kMpi);
}

TEST(BootstrapTest, BatchScriptOutsideOfAStepIsAlone) {
  EXPECT_EQ(detect_launch(of({{"SLURM_NTASKS", "4"}})), LaunchKind::kAlone);
}

TEST(BootstrapTest, SlurmTasksWithoutMpiAreRefusedWithTheRemedy) {
  const auto environment =
      of({{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "4"}});
  try {
    detect_launch(environment);
    FAIL() << "accepted";
  } catch (const ConfigError& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("4 tasks"), std::string::npos) << text;
    EXPECT_NE(text.find("srun --mpi=pmix"), std::string::npos) << text;
  }
  EXPECT_THROW(check_world(environment, 1), ConfigError);
  EXPECT_NO_THROW(check_world(environment, 4));
}

TEST(BootstrapTest, MpirunInsideABatchScriptIsAccepted) {
  // The step is that of mpirun's daemons, one a node.
  const auto environment = of({{"OMPI_COMM_WORLD_SIZE", "1"},
                               {"SLURM_STEP_ID", "0"},
                               {"SLURM_STEP_NUM_TASKS", "2"}});
  EXPECT_EQ(detect_launch(environment), LaunchKind::kMpi);
  EXPECT_NO_THROW(check_world(environment, 1));
}

TEST(BootstrapTest, TheLauncherSaysTheRankBeforeMpiDoes) {
  const LaunchPlace mpirun =
      launch_place(of({{"OMPI_COMM_WORLD_RANK", "3"},
                       {"OMPI_COMM_WORLD_SIZE", "4"},
                       {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                       {"PMIX_NAMESPACE", "1322975233"}}));
  EXPECT_EQ(mpirun.rank, 3);
  EXPECT_EQ(mpirun.world_size, 4);
  EXPECT_EQ(mpirun.local_rank, 1);
  EXPECT_EQ(mpirun.job, "1322975233");
  const LaunchPlace srun = launch_place(of({{"PMIX_RANK", "2"},
                                            {"SLURM_STEP_ID", "0"},
                                            {"SLURM_NTASKS", "8"},
                                            {"SLURM_LOCALID", "0"},
                                            {"SLURM_JOB_ID", "77"},
                                            {"PMIX_NAMESPACE", "slurm/77 0"}}));
  EXPECT_EQ(srun.rank, 2);
  EXPECT_EQ(srun.world_size, 8);
  EXPECT_EQ(srun.local_rank, 0);
  EXPECT_EQ(srun.job, "77-slurm-77-0");
}

TEST(BootstrapTest, ADeviceThatIsNotThereIsRefused) {
  SessionOptions options;
  EXPECT_EQ(choose_device(options, 0).name, "cpu");
  options.device = "cuda";
  options.list_devices = [] { return std::vector<std::string>(); };
  EXPECT_ERROR(choose_device(options, 0), ConfigError, "cuda", "shows none",
               "CUDA_VISIBLE_DEVICES");
  options.list_devices = [] {
    return std::vector<std::string>{"GPU-a", "GPU-b"};
  };
  EXPECT_EQ(choose_device(options, 1).name, "GPU-b");
  // With more ranks than devices two get the same, which the roll call finds.
  EXPECT_EQ(choose_device(options, 2).name, "GPU-a");
}

TEST(StopSignalTest, ClockAsks) {
  EXPECT_FALSE(StopSignal(0).requested());
  EXPECT_FALSE(StopSignal(3600).requested());
  EXPECT_TRUE(StopSignal(1e-9).requested());
}

// Last in this program: the flag of the handlers stays set.
TEST(StopSignalTest, SignalAsks) {
  StopSignal stop;
  StopSignal::install_handlers();
  EXPECT_FALSE(stop.requested());
  std::raise(SIGUSR1);
  EXPECT_TRUE(stop.requested());
}

}  // namespace
}  // namespace sono
