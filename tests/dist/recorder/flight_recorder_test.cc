// What is recorded can be read back, by others, whatever ends the rank.

#include "dist/recorder/flight_recorder.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "core/error.h"
#include "dist/recorder/rank_files.h"
#include "tests/data/shards/temporary_folder.h"
#include "tests/dist/recorder/recorder_options.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

TEST(FlightRecorderTest, ReadsBackWhatWasRecorded) {
  const TemporaryFolder folder;
  FlightRecorder recorder(recorder_options(folder.path(), 3, 8));
  recorder.set_phase(Phase::kReduce, 12);
  const auto first = recorder.begin_now({"all_reduce", 0, 1, 4096, 2048, 5});
  recorder.done(first);
  recorder.begin_now({"barrier", recorder.group("world"), 2, 8, 1});
  recorder.set_awaited({1, 4});

  const auto view = read_ring(recorder.path());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->rank, 3);
  EXPECT_EQ(view->world_size, 8);
  EXPECT_EQ(view->host, "host3");
  EXPECT_EQ(view->job, "test");
  EXPECT_EQ(view->pid, ::getpid());
  EXPECT_EQ(view->phase, Phase::kReduce);
  EXPECT_EQ(view->step, 12);
  EXPECT_EQ(view->awaited, (std::vector<int>{1, 4}));
  ASSERT_EQ(view->operations.size(), 2u);
  const RecordedOperation& sum = view->operations[0];
  EXPECT_EQ(sum.name, "all_reduce");
  EXPECT_EQ(sum.group, "world");
  EXPECT_EQ(sum.bytes, 4096u);
  EXPECT_EQ(sum.even_bytes, 2048u);
  EXPECT_EQ(sum.bucket, 5);
  EXPECT_EQ(sum.step, 12);
  EXPECT_EQ(sum.phase, Phase::kReduce);
  EXPECT_TRUE(sum.done);
  ASSERT_NE(view->waiting(), nullptr);
  EXPECT_EQ(view->waiting()->name, "barrier");
  EXPECT_EQ(view->waiting()->sequence, 2u);
}

TEST(FlightRecorderTest, WhatIsOnlyQueuedIsNotEntered) {
  const TemporaryFolder folder;
  FlightRecorder recorder(recorder_options(folder.path(), 0));
  const auto record = recorder.begin({"all_reduce", 0, 1});
  EXPECT_TRUE(read_ring(recorder.path())->last.empty());
  recorder.start(record);
  EXPECT_EQ(read_ring(recorder.path())->last.at("world").sequence, 1u);
}

TEST(FlightRecorderTest, TheRingKeepsTheNewest) {
  const TemporaryFolder folder;
  FlightRecorder recorder(recorder_options(folder.path(), 0));
  const std::uint64_t count = 2 * kRingRecords + 17;
  for (std::uint64_t i = 1; i <= count; ++i) {
    recorder.done(recorder.begin_now({"barrier", 0, i}));
  }
  const auto view = read_ring(recorder.path());
  ASSERT_EQ(view->operations.size(), kRingRecords);
  EXPECT_EQ(view->operations.front().sequence, count - kRingRecords + 1);
  EXPECT_EQ(view->operations.back().sequence, count);
}

TEST(FlightRecorderTest, ManyNamesShareTheLastPlace) {
  const TemporaryFolder folder;
  FlightRecorder recorder(recorder_options(folder.path(), 0));
  for (int i = 0; i < 3 * kRingNames; ++i) {
    recorder.begin_now({"operation " + std::to_string(i), 0, 1});
  }
  const auto view = read_ring(recorder.path());
  EXPECT_EQ(view->operations.front().name, "operation 0");
  EXPECT_EQ(view->operations.back().name, "(other)");
}

TEST(FlightRecorderTest, ThreadsMayRecordAtOnce) {
  const TemporaryFolder folder;
  FlightRecorder recorder(recorder_options(folder.path(), 0));
  const auto record_some = [&](std::string_view name) {
    for (std::uint64_t i = 1; i <= 1000; ++i) {
      recorder.done(recorder.begin_now({name, 0, i, i}));
    }
  };
  std::thread other(record_some, "other");
  record_some("own");
  other.join();
  const auto view = read_ring(recorder.path());
  ASSERT_EQ(view->operations.size(), 2000u);
  std::map<std::string, std::uint64_t> last;
  for (const RecordedOperation& operation : view->operations) {
    EXPECT_EQ(operation.sequence, ++last[operation.name]);
    EXPECT_EQ(operation.bytes, operation.sequence);
    EXPECT_TRUE(operation.done);
  }
}

TEST(FlightRecorderTest, SurvivesSigkill) {
  const TemporaryFolder folder;
  const pid_t rank = ::fork();
  if (rank == 0) {
    FlightRecorder recorder(recorder_options(folder.path(), 1));
    recorder.set_phase(Phase::kSave, 7);
    recorder.begin_now({"all_gather", 0, 1});
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(rank, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto view = read_ring(ring_path(folder.path(), "test", 1));
  ASSERT_TRUE(view);
  EXPECT_EQ(view->phase, Phase::kSave);
  EXPECT_EQ(view->step, 7);
  EXPECT_EQ(view->end, RingEnd::kRunning);
  EXPECT_EQ(view->waiting()->name, "all_gather");
  mark_killed(view->ring);
  EXPECT_EQ(read_ring(view->ring)->end, RingEnd::kKilled);
}

TEST(FlightRecorderTest, OnlyAGoodEndRemovesTheRing) {
  const TemporaryFolder folder;
  const fs::path path = ring_path(folder.path(), "test", 0);
  {
    FlightRecorder recorder(recorder_options(folder.path(), 0));
    recorder.set_end(RingEnd::kFailed);
  }
  EXPECT_TRUE(fs::exists(path));
  {
    FlightRecorder recorder(recorder_options(folder.path(), 0));
    recorder.set_end(RingEnd::kDone);
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(FlightRecorderTest, AMissingFolderIsAnErrorThatNamesIt) {
  auto options = recorder_options("/no/such/folder", 0);
  try {
    const FlightRecorder recorder(options);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("/no/such/folder"),
              std::string::npos);
  }
}

TEST(FlightRecorderTest, OtherFilesAreNoRings) {
  const TemporaryFolder folder;
  EXPECT_FALSE(read_ring(folder.path() / "none"));
  std::ofstream(folder.path() / "short") << "SONORING";
  EXPECT_FALSE(read_ring(folder.path() / "short"));
  std::ofstream(folder.path() / "long") << std::string(kRingBytes, 'x');
  EXPECT_FALSE(read_ring(folder.path() / "long"));
}

TEST(FlightRecorderTest, AStatusHoldsTheLastOperations) {
  const TemporaryFolder folder;
  FlightRecorder recorder(recorder_options(folder.path(), 1));
  recorder.set_phase(Phase::kEncode, 3);
  recorder.begin_now({"broadcast", 0, 9, 100, 50});
  const auto ring = read_ring(recorder.path());
  const fs::path path = status_path(folder.path(), 1);
  ASSERT_TRUE(write_status(path, *ring));
  const auto size = fs::file_size(path);
  ASSERT_TRUE(write_status(path, *ring));
  EXPECT_EQ(fs::file_size(path), size);
  const auto view = read_status(path);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->rank, 1);
  EXPECT_EQ(view->host, "host1");
  EXPECT_EQ(view->phase, Phase::kEncode);
  EXPECT_EQ(view->progress, ring->progress);
  EXPECT_EQ(view->waiting()->name, "broadcast");
  EXPECT_EQ(view->waiting()->sequence, 9u);
  EXPECT_NEAR(view->waiting()->begun, ring->waiting()->begun, 1e-3);
}

TEST(PhaseMarkTest, GivesTheOldPhaseBack) {
  const TemporaryFolder folder;
  FlightRecorder recorder(recorder_options(folder.path(), 0));
  recorder.set_phase(Phase::kStage, 2);
  {
    const PhaseMark outer(&recorder, Phase::kForward, 5);
    const PhaseMark inner(&recorder, Phase::kBackward);
    EXPECT_EQ(recorder.phase(), Phase::kBackward);
    EXPECT_EQ(recorder.step(), 5);
  }
  EXPECT_EQ(recorder.phase(), Phase::kStage);
  EXPECT_EQ(recorder.step(), 2);
  const PhaseMark nowhere(nullptr, Phase::kForward);
}

TEST(PhaseMarkTest, StaysWhereAnExceptionCameFrom) {
  const TemporaryFolder folder;
  FlightRecorder recorder(recorder_options(folder.path(), 0));
  const PhaseMark outer(&recorder, Phase::kStage, 1);
  try {
    const PhaseMark step(&recorder, Phase::kReduce, 5);
    throw CommError("broken");
  } catch (const CommError&) {
    EXPECT_EQ(recorder.phase(), Phase::kReduce);
    EXPECT_EQ(recorder.step(), 5);
  }
}

TEST(PhaseTest, NamesAreReadBack) {
  for (int i = 0; i <= static_cast<int>(Phase::kEvaluate); ++i) {
    const auto phase = static_cast<Phase>(i);
    EXPECT_EQ(phase_of_name(phase_name(phase)), phase);
  }
}

}  // namespace
}  // namespace sono
