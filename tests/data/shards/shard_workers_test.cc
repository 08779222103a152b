// Workers as processes, some of them killed: the folder ends the same.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "core/hash.h"
#include "core/random.h"
#include "data/lease.h"
#include "data/shards/verify.h"
#include "tests/data/shards/made_samples.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

const DatasetPlan kPlan{.count = 60,
                        .samples_per_shard = 4,
                        .config_hash = "cafe",
                        .weights_hash = "beef"};

void work_on(const std::filesystem::path& folder, int rank) {
  open_dataset(folder, kPlan);
  LeasedWork work;
  work.items = kPlan.num_shards();
  work.is_done = [&](std::int64_t i) { return shard_done(folder, i); };
  work.find_missing = [&] { return missing_shards(folder, kPlan); };
  work.work = [&](std::int64_t i) {
    commit_shard(folder, kPlan, i, made_shard(kPlan, i));
  };
  work.lease_folder = folder / "leases";
  work.first_item = first_item_of(work.items, rank % 4, 4);
  run_leased_work(work, {.stale_seconds = 0.3, .poll_seconds = 0.005});
  finalize_dataset(folder, kPlan);
}

pid_t start_worker(const std::filesystem::path& folder, int rank) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  try {
    work_on(folder, rank);
  } catch (const std::exception& error) {
    ::fprintf(stderr, "worker %d: %s\n", rank, error.what());
    ::_exit(1);
  }
  ::_exit(0);
}

int wait_for(pid_t pid) {
  int status = -1;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return status;
}

class ShardWorkers : public testing::Test {
 protected:
  void expect_like_one_worker() {
    const TemporaryFolder alone;
    make_dataset(alone.path(), kPlan);
    verify_dataset(folder_.path());
    int num_files = 0;
    for (const auto& file :
         std::filesystem::directory_iterator(folder_.path())) {
      EXPECT_EQ(sha256_file(file.path()),
                sha256_file(alone.path() / file.path().filename()))
          << file.path();
      ++num_files;
    }
    EXPECT_EQ(num_files, 2 * kPlan.num_shards() + 3);
  }
  TemporaryFolder folder_;
};

TEST_F(ShardWorkers, FourProcessesMakeTheSameFolder) {
  std::vector<pid_t> workers;
  for (int rank = 0; rank < 4; ++rank) {
    workers.push_back(start_worker(folder_.path(), rank));
  }
  for (const auto pid : workers) EXPECT_EQ(wait_for(pid), 0);
  expect_like_one_worker();
}

TEST_F(ShardWorkers, KilledWorkersLeaveNoTrace) {
  Random random(make_key("test.kill", 1));
  int num_killed = 0;
  for (int round = 0; round < 12; ++round) {
    const pid_t a = start_worker(folder_.path(), round);
    const pid_t b = start_worker(folder_.path(), round + 1);
    std::this_thread::sleep_for(
        std::chrono::microseconds(500 + random.below(12000)));
    for (const pid_t pid : {a, b}) {
      ::kill(pid, SIGKILL);
      num_killed += WIFSIGNALED(wait_for(pid)) ? 1 : 0;
    }
  }
  EXPECT_GT(num_killed, 2);
  EXPECT_EQ(wait_for(start_worker(folder_.path(), 0)), 0);
  expect_like_one_worker();
}

}  // namespace
}  // namespace sono
