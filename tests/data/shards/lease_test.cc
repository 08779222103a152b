#include "data/lease.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "core/atomic_file.h"
#include "core/error.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

const LeaseConfig kFast{.stale_seconds = 0.3, .poll_seconds = 0.005};

TEST(Lease, IsExclusiveAndGivenBack) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "new" / "a.lease";
  LeaseWatcher first(kFast), second(kFast);
  {
    const auto lease = first.try_lease(path);
    ASSERT_TRUE(lease);
    EXPECT_FALSE(second.try_lease(path));
    EXPECT_FALSE(lease->lost());
  }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_TRUE(second.try_lease(path));
}

TEST(Lease, LiveHolderKeepsItBeyondTheStaleTime) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.lease";
  LeaseWatcher holder(kFast), watcher(kFast);
  const auto lease = holder.try_lease(path);
  for (int k = 0; k < 20; ++k) {
    EXPECT_FALSE(watcher.try_lease(path));
    std::this_thread::sleep_for(milliseconds(40));
  }
  EXPECT_FALSE(lease->lost());
}

TEST(Lease, StaleOneIsTakenOverOnlyAfterItsTime) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.lease";
  write_file_atomic(path, "elsewhere 1 1 0 00000000000000000007\n");
  LeaseWatcher watcher(kFast);
  const auto start = std::chrono::steady_clock::now();
  auto lease = watcher.try_lease(path);
  EXPECT_FALSE(lease);
  while (!lease) {
    std::this_thread::sleep_for(milliseconds(10));
    lease = watcher.try_lease(path);
  }
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(300));
  EXPECT_NE(read_file(path).substr(0, 9), "elsewhere");
}

TEST(Lease, MovingForeignCounterIsNeverStale) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.lease";
  LeaseWatcher watcher(kFast);
  for (int k = 0; k < 12; ++k) {
    write_file_atomic(path, "elsewhere 1 1 0 " + std::to_string(100 + k));
    EXPECT_FALSE(watcher.try_lease(path)) << k;
    std::this_thread::sleep_for(milliseconds(50));
  }
}

TEST(Lease, KilledProcessOfThisHostIsSeenAtOnce) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.lease";
  const pid_t pid = ::fork();
  if (pid == 0) {
    LeaseWatcher watcher({.stale_seconds = 3600});
    const auto lease = watcher.try_lease(path);
    ::kill(::getpid(), SIGKILL);
  }
  ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
  ASSERT_TRUE(fs::exists(path));
  LeaseWatcher watcher({.stale_seconds = 3600});
  EXPECT_TRUE(watcher.try_lease(path));
}

TEST(Lease, HolderNoticesThatItLostTheLease) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.lease";
  LeaseWatcher watcher(kFast);
  {
    const auto lease = watcher.try_lease(path);
    write_file_atomic(path, "elsewhere 1 1 0 1\n");
    for (int k = 0; k < 100 && !lease->lost(); ++k) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_TRUE(lease->lost());
  }
  EXPECT_TRUE(fs::exists(path)) << "removed another worker's lease";
}

TEST(Lease, BadConfigNamesTheOption) {
  try {
    LeaseWatcher watcher({.stale_seconds = 0});
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("lease.stale_seconds"),
              std::string::npos);
  }
}

// A list of items done in memory, for work loops on threads.
struct Items {
  explicit Items(const fs::path& lease_folder, std::int64_t n) : done(n) {
    work.items = n;
    work.lease_folder = lease_folder;
    work.is_done = [this](std::int64_t i) { return done[i].load() > 0; };
    work.work = [this](std::int64_t i) {
      std::this_thread::sleep_for(milliseconds(1));
      ++done[i];
    };
  }
  std::vector<std::atomic<int>> done;
  LeasedWork work;
};

TEST(LeasedWork, WorkersShareTheItems) {
  const TemporaryFolder folder;
  Items items(folder.path() / "leases", 60);
  std::atomic<std::int64_t> total{0};
  std::vector<std::thread> workers;
  for (int rank = 0; rank < 4; ++rank) {
    workers.emplace_back([&, rank] {
      LeasedWork mine = items.work;
      mine.first_item = first_item_of(60, rank, 4);
      total +=
          run_leased_work(mine, {.stale_seconds = 60, .poll_seconds = 0.002});
    });
  }
  for (auto& worker : workers) worker.join();
  EXPECT_EQ(total, 60);
  for (const auto& count : items.done) EXPECT_EQ(count, 1);
  EXPECT_FALSE(fs::exists(folder.path() / "leases"));
}

TEST(LeasedWork, WaitsForOthersAndTakesStaleItemsOver) {
  const TemporaryFolder folder;
  Items items(folder.path(), 3);
  write_file_atomic(folder.path() / "1.lease", "elsewhere 1 1 0 5\n");
  EXPECT_EQ(run_leased_work(items.work, kFast), 3);
  EXPECT_EQ(items.done[1], 1);
}

// Another worker's list may hold items that this one does not know yet.
TEST(LeasedWork, NamedItemsLeaveTheLeasesOfOthersAlone) {
  const TemporaryFolder folder;
  Items items(folder.path() / "leases", 3);
  items.work.name = [](std::int64_t i) { return "cell" + std::to_string(i); };
  const fs::path other = folder.path() / "leases/cell9.lease";
  make_directories(other.parent_path());
  write_file_atomic(other, "elsewhere 1 1 0 5\n");
  write_file_atomic(folder.path() / "leases/cell1.lease",
                    "elsewhere 1 1 0 5\n");
  EXPECT_EQ(run_leased_work(items.work, kFast), 3);
  EXPECT_TRUE(fs::exists(other));
  EXPECT_FALSE(fs::exists(folder.path() / "leases/cell1.lease"));
  fs::remove(other);
  items.done[2] = 0;
  EXPECT_EQ(run_leased_work(items.work, kFast), 1);
  EXPECT_FALSE(fs::exists(folder.path() / "leases"));
}

TEST(LeasedWork, NothingToDo) {
  const TemporaryFolder folder;
  Items items(folder.path() / "leases", 0);
  EXPECT_EQ(run_leased_work(items.work, kFast), 0);
}

TEST(LeasedWork, StopsOnRequestAndReportsProgress) {
  const TemporaryFolder folder;
  Items items(folder.path() / "leases", 10);
  std::int64_t progress = 0;
  items.work.on_progress = [&](std::int64_t n) { progress = n; };
  items.work.should_stop = [&] { return progress >= 4; };
  EXPECT_THROW(run_leased_work(items.work, kFast), StopRequested);
  EXPECT_EQ(progress, 4);
  EXPECT_TRUE(fs::is_empty(folder.path() / "leases"));
}

TEST(LeasedWork, ProgressCountsWhatOthersMade) {
  const TemporaryFolder folder;
  Items items(folder.path() / "leases", 10);
  std::int64_t progress = 0, seen = 0;
  items.work.on_progress = [&](std::int64_t n) { progress = n; };
  items.work.work = [&](std::int64_t i) {
    if (i == 1) seen = progress;
    items.done[i] = 1;
    if (i > 0) return;
    for (int other = 5; other < 10; ++other) items.done[other] = 1;
  };
  EXPECT_EQ(run_leased_work(items.work, kFast), 5);
  EXPECT_EQ(seen, 6);
  EXPECT_EQ(progress, 10);
}

TEST(LeasedWork, StopsWhileWaiting) {
  const TemporaryFolder folder;
  Items items(folder.path(), 1);
  LeaseWatcher holder(kFast);
  const auto lease = holder.try_lease(folder.path() / "0.lease");
  int asked = 0;
  items.work.should_stop = [&] { return ++asked > 5; };
  EXPECT_THROW(run_leased_work(items.work, kFast), StopRequested);
  EXPECT_EQ(items.done[0], 0);
}

TEST(LeasedWork, ErrorGivesTheLeaseBack) {
  const TemporaryFolder folder;
  Items items(folder.path() / "leases", 2);
  items.work.work = [](std::int64_t) { throw DataError("bad item"); };
  EXPECT_THROW(run_leased_work(items.work, kFast), DataError);
  EXPECT_TRUE(fs::is_empty(folder.path() / "leases"));
}

TEST(LeasedWork, UndoneItemIsAFault) {
  const TemporaryFolder folder;
  Items items(folder.path() / "leases", 1);
  items.work.work = [](std::int64_t) {};
  EXPECT_THROW(run_leased_work(items.work, kFast), Error);
}

}  // namespace
}  // namespace sono
