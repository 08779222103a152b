// Saves in the background: what they hold, how they wait, how they fail. Under
// mpirun the writer threads share MPI with a busy training thread.

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include "core/error.h"
#include "core/hash.h"
#include "dist/checkpoint/reader.h"
#include "dist/checkpoint/verify.h"
#include "tests/core/expect_error.h"
#include "tests/dist/checkpoint_fixture.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

using CheckpointStoreTest = CheckpointFixture;

// Passes everything on to another communicator; its duplicates are made by a
// function.
class WrappedCommunicator : public Communicator {
 public:
  using Duplicate = std::function<std::unique_ptr<Communicator>()>;
  WrappedCommunicator(Communicator& inner, Duplicate duplicate)
      : inner_(inner), duplicate_(std::move(duplicate)) {}
  int rank() const override { return inner_.rank(); }
  int world_size() const override { return inner_.world_size(); }
  std::string_view backend() const override { return inner_.backend(); }
  std::unique_ptr<Communicator> duplicate(double) override {
    return duplicate_();
  }

 protected:
  void do_exchange(const std::vector<at::Tensor>& send,
                   const std::vector<at::Tensor>& receive,
                   std::string_view operation) override {
    inner_.exchange(send, receive, operation);
  }

 private:
  Communicator& inner_;
  Duplicate duplicate_;
};

TEST_F(CheckpointStoreTest, HoldsTheStateAtTheSaveNotWhatCameAfter) {
  run_local_ranks(3, [&](Communicator& comm) {
    Arena arena = make_arena(1, 1, comm);
    CheckpointStore store(comm, root_, arena);
    EXPECT_TRUE(store.asynchronous());
    for (std::int64_t step = 1; step <= 6; ++step) {
      store.save(make_state(step));
      store.wait_copied();
      // What the optimiser does next, the file must not see.
      for (FlatBuffer* buffer :
           {&arena.params, &arena.exp_avg, &arena.exp_avg_sq, &arena.ema}) {
        buffer->data.add_(1.0f);
      }
    }
    store.finish();
    const auto kept = list_checkpoints(root_);
    ASSERT_EQ(kept.size(), 2u);
    EXPECT_EQ(kept[0].filename(), "step-00000006");
    EXPECT_EQ(kept[1].filename(), "step-00000005");
    for (int back = 0; back < 2; ++back) {
      Arena read = make_arena(2, 0);
      load_checkpoint(comm, kept[static_cast<std::size_t>(back)], read);
      const Arena first = make_arena(1);
      const auto view = [](const Arena& of) {
        return of.layout().views(of.exp_avg.data);
      };
      for (std::size_t i = 0; i < view(read).size(); ++i) {
        at::Tensor expected = view(first)[i].second.clone();
        for (int k = 0; k < 5 - back; ++k) expected.add_(1.0f);
        EXPECT_TRUE(at::equal(view(read)[i].second, expected));
      }
    }
  });
}

TEST_F(CheckpointStoreTest, SlabIsTheRanksShareOfTheFiles) {
  for (const int stage : {0, 3}) {
    std::atomic<std::int64_t> total{0};
    run_local_ranks(4, [&](Communicator& comm) {
      const Arena arena = make_arena(1, stage, comm);
      const CheckpointStore store(comm, root_, arena);
      total += store.memory_bytes();
    });
    std::int64_t files = 0;
    for (const FileLayout& file : file_layouts(make_arena(1))) {
      files += file.bytes;
    }
    if (stage == 0) {
      EXPECT_EQ(total.load(), files);
    }
    // Shards add the pieces that blocks on their edges need.
    EXPECT_GE(total.load(), files);
    EXPECT_LT(total.load(), 2 * files);
  }
}

TEST_F(CheckpointStoreTest, WithoutASecondThreadItSavesAtOnce) {
  const fs::path background = save(2, 1, 3, root_ / "background");
  run_local_ranks(2, [&](Communicator& inner) {
    WrappedCommunicator comm(inner, [] { return nullptr; });
    Arena arena = make_arena(1, 1, comm);
    CheckpointStore store(comm, root_ / "at_once", arena);
    EXPECT_FALSE(store.asynchronous());
    store.save(make_state(3));
    comm.barrier();
    EXPECT_EQ(verify_checkpoint(root_ / "at_once/step-00000003").step, 3);
    store.wait_copied();
  });
  EXPECT_EQ(sha256_file(background / "manifest.json"),
            sha256_file(root_ / "at_once/step-00000003/manifest.json"));
}

TEST_F(CheckpointStoreTest, FullDiskIsToldAtTheNextCallOnEveryRank) {
  const fs::path disk = root_ / "disk";
  fs::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=16m") != 0) {
    GTEST_SKIP() << "no right to mount a tmpfs: " << std::strerror(errno);
  }
  run_local_ranks(2, [&](Communicator& comm) {
    Arena arena = make_arena(1, 1, comm);
    CheckpointStore store(comm, disk, arena);
    store.save(make_state(3));  // 13 MB
    store.wait_copied();
    store.finish();
    store.save(make_state(4));
    store.wait_copied();
    EXPECT_THROW(store.save(make_state(5)), ResourceError);
    EXPECT_FALSE(fs::exists(disk / checkpoint_name(4)));
    EXPECT_EQ(verify_checkpoint(comm, disk / checkpoint_name(3)).step, 3);
    // With room again it goes on.
    comm.barrier();
    if (comm.rank() == 0) fs::remove_all(disk / checkpoint_name(3));
    comm.barrier();
    store.save(make_state(6));
    store.finish();
    EXPECT_EQ(verify_checkpoint(comm, disk / checkpoint_name(6)).step, 6);
  });
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

TEST_F(CheckpointStoreTest, AFolderThatCannotBeMadeIsNamed) {
  std::ofstream(root_ / "file") << "in the way";
  run_local_ranks(3, [&](Communicator& comm) {
    Arena arena = make_arena(1, 0, comm);
    CheckpointStore store(comm, root_ / "file", arena);
    store.save(make_state(3));
    EXPECT_ERROR(store.finish(), DataError, (root_ / "file").string());
    store.finish();  // told once
  });
}

TEST_F(CheckpointStoreTest, ARankThatFailsLeavesNobodyWaiting) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_ERROR(run_local_ranks(3,
                               [&](Communicator& comm) {
                                 Arena arena = make_arena(1, 1, comm);
                                 CheckpointStore store(comm, root_, arena);
                                 if (comm.rank() == 1) {
                                   throw DataError("a bad image");
                                 }
                                 store.save(make_state(3));
                                 store.wait_copied();
                                 store.finish();
                               }),
               DataError, "a bad image");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  EXPECT_TRUE(list_checkpoints(root_).empty());
}

TEST_F(CheckpointStoreTest, ASaveThatStandsStillIsNamed) {
  using namespace std::chrono_literals;
  // A writer thread that hangs for a while, as one does on a dead file server.
  class Hanging : public WrappedCommunicator {
   public:
    using WrappedCommunicator::WrappedCommunicator;

   protected:
    void do_exchange(const std::vector<at::Tensor>& send,
                     const std::vector<at::Tensor>& receive,
                     std::string_view operation) override {
      if (!std::exchange(slept_, true)) std::this_thread::sleep_for(3s);
      WrappedCommunicator::do_exchange(send, receive, operation);
    }
    bool slept_ = false;
  };
  const auto inner = make_single_rank();
  WrappedCommunicator comm(*inner, [&] {
    return std::make_unique<Hanging>(*inner, [] { return nullptr; });
  });
  Arena arena = make_arena(1);
  CheckpointStore store(comm, root_, arena, {.deadline_seconds = 0.5});
  store.save(make_state(3));
  EXPECT_ERROR(store.finish(), CommError, "rank 0", "step-00000003",
               "has not gone on");
  // It goes on in the end; a slow disk may take its time.
  for (int i = 0; store.saving() && i < 1200; ++i) {
    std::this_thread::sleep_for(100ms);
  }
  store.finish();
  EXPECT_EQ(verify_checkpoint(root_ / checkpoint_name(3)).step, 3);
}

// Both threads of each rank in MPI at once.
TEST(CheckpointStoreWorldTest, WriterThreadsRunBesideABusyTrainingThread) {
  const fs::path base = fs::temp_directory_path();
  std::string name = "sono_store_" + std::to_string(::getpid());
  run_world(3, [&](Communicator& comm) {
    const fs::path root = base / broadcast_string(comm, name);
    Arena arena = make_arena(1, 2, comm);
    const at::Tensor before = make_arena(1).params.data;
    {
      CheckpointStore store(comm, root, arena);
      EXPECT_TRUE(store.asynchronous());
      for (std::int64_t step = 1; step <= 3; ++step) {
        store.save(make_state(step));
        at::Tensor sum = at::ones({50000}, at::kFloat);
        for (int i = 0; i < 30; ++i) {
          sum.fill_(static_cast<float>(comm.rank() + i));
          comm.all_reduce(sum);
          const int n = comm.world_size();
          ASSERT_EQ(sum[777].item<float>(), n * (n - 1) / 2 + n * i);
        }
        store.wait_copied();
        fill_arena(arena, before + static_cast<double>(step));
      }
      store.finish();
    }
    EXPECT_EQ(verify_checkpoint(comm, root / checkpoint_name(3)).step, 3);
    Arena read = make_arena(2);
    load_checkpoint(comm, root / checkpoint_name(3), read);
    Arena expected = make_arena(1);
    fill_arena(expected, before + 2.0);
    for (const LayoutEntry& entry : arena.layout().entries()) {
      const Range range{entry.offset, entry.offset + entry.numel};
      EXPECT_TRUE(
          at::equal(read.exp_avg.view(range), expected.exp_avg.view(range)));
    }
    comm.barrier();
    if (comm.rank() == 0) fs::remove_all(root);
    comm.barrier();
  });
}

}  // namespace
}  // namespace sono
