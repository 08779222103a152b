// Each way of holding the others up is told from the others.

#include "dist/recorder/diagnosis.h"

#include <gtest/gtest.h>

namespace sono {
namespace {

using Ranks = std::vector<std::optional<RankView>>;

constexpr double kNow = 1000;

RecordedOperation operation(std::string name, std::uint64_t sequence, bool done,
                            std::uint64_t even_bytes = 8) {
  RecordedOperation result;
  result.group = "world";
  result.name = std::move(name);
  result.sequence = sequence;
  result.even_bytes = even_bytes;
  result.done = done;
  result.begun = kNow - 61;
  return result;
}

void enter(RankView& view, const RecordedOperation& operation) {
  view.operations.push_back(operation);
  view.last[operation.group] = operation;
}

// All have done number 1 and are alive.
Ranks ranks_of(int count) {
  Ranks ranks;
  for (int r = 0; r < count; ++r) {
    RankView view;
    view.rank = r;
    view.world_size = count;
    view.host = "node" + std::to_string(r);
    view.pid = 100 + r;
    view.phase = Phase::kReduce;
    view.step = 12;
    view.phase_since = kNow - 61;
    view.beat_time = view.seen = kNow;
    enter(view, operation("all_reduce", 1, true));
    ranks.push_back(view);
  }
  return ranks;
}

void expect_line(const Diagnosis& diagnosis, std::size_t index,
                 const std::vector<std::string>& parts) {
  ASSERT_LT(index, diagnosis.lines.size());
  for (const std::string& part : parts) {
    EXPECT_NE(diagnosis.lines[index].find(part), std::string::npos)
        << part << " is not in: " << diagnosis.lines[index];
  }
}

TEST(DiagnosisTest, NobodyIsStuck) {
  const Diagnosis diagnosis = diagnose(ranks_of(3));
  EXPECT_TRUE(diagnosis.culprits.empty());
  EXPECT_TRUE(diagnosis.lines.empty());
}

TEST(DiagnosisTest, WhoNeverEnteredIsNamedWithWhatItDoes) {
  Ranks ranks = ranks_of(3);
  enter(*ranks[0], operation("all_gather", 2, false));
  enter(*ranks[2], operation("all_gather", 2, false));
  ranks[1]->phase = Phase::kForward;
  const Diagnosis diagnosis = diagnose(ranks);
  EXPECT_EQ(diagnosis.culprits, std::vector<int>{1});
  ASSERT_EQ(diagnosis.lines.size(), 3u);
  expect_line(diagnosis, 0,
              {"rank 1 on node1 (pid 101) never entered all_gather", "number 2",
               "phase forward of step 12", "61.0 s"});
  expect_line(diagnosis, 1, {"rank 0 on node0", "waits in all_gather"});
  expect_line(diagnosis, 2, {"rank 2 on node2", "waits in all_gather"});
}

TEST(DiagnosisTest, AShortWaitIsNoStall) {
  Ranks ranks = ranks_of(2);
  enter(*ranks[0], operation("all_gather", 2, false));
  EXPECT_EQ(diagnose(ranks, std::nullopt, 60).culprits, std::vector<int>{1});
  EXPECT_TRUE(diagnose(ranks, std::nullopt, 62).culprits.empty());
}

TEST(DiagnosisTest, ARankWithoutRecordingIsNamed) {
  Ranks ranks = ranks_of(3);
  enter(*ranks[0], operation("MPI_Init", 2, false));
  enter(*ranks[1], operation("MPI_Init", 2, false));
  ranks[2].reset();
  const Diagnosis diagnosis = diagnose(ranks);
  EXPECT_EQ(diagnosis.culprits, std::vector<int>{2});
  expect_line(diagnosis, 0, {"rank 2 never entered MPI_Init", "no recording"});
}

TEST(DiagnosisTest, TheMinorityIsOutOfStep) {
  Ranks ranks = ranks_of(3);
  enter(*ranks[0], operation("all_reduce", 2, false));
  enter(*ranks[1], operation("broadcast", 2, false));
  enter(*ranks[2], operation("all_reduce", 2, false));
  const Diagnosis diagnosis = diagnose(ranks);
  EXPECT_EQ(diagnosis.culprits, std::vector<int>{1});
  expect_line(diagnosis, 0,
              {"rank 1 on node1", "did broadcast", "ranks 0, 2 did all_reduce",
               "out of step"});
}

TEST(DiagnosisTest, AnotherSizeIsOutOfStep) {
  Ranks ranks = ranks_of(3);
  for (auto& view : ranks) {
    enter(*view, operation("all_reduce", 2, false, view->rank == 2 ? 16 : 8));
  }
  const Diagnosis diagnosis = diagnose(ranks);
  EXPECT_EQ(diagnosis.culprits, std::vector<int>{2});
  expect_line(diagnosis, 0, {"rank 2", "all_reduce of 16 bytes", "of 8 bytes"});
}

TEST(DiagnosisTest, OfTwoNobodyKnowsWhoIsRight) {
  Ranks ranks = ranks_of(2);
  enter(*ranks[0], operation("all_reduce", 2, false));
  enter(*ranks[1], operation("broadcast", 2, false));
  EXPECT_EQ(diagnose(ranks).culprits, (std::vector<int>{0, 1}));
}

TEST(DiagnosisTest, WhoWaitsElsewhereIsHeldUpToo) {
  Ranks ranks = ranks_of(3);
  enter(*ranks[0], operation("barrier", 3, false));
  enter(*ranks[1], operation("barrier", 3, false));
  // Rank 1 waits in a smaller group for rank 2, who does nothing.
  enter(*ranks[0], operation("all_gather", 2, false));
  ranks[0]->last.at("world").sequence = 2;
  RecordedOperation pair = operation("broadcast", 1, false);
  pair.group = "pair";
  enter(*ranks[1], pair);
  ranks[1]->last.at("world").done = true;
  RecordedOperation before = pair;
  before.sequence = 0;
  before.done = true;
  ranks[2]->last["pair"] = before;
  EXPECT_EQ(diagnose(ranks).culprits, std::vector<int>{2});
}

TEST(DiagnosisTest, WhoIsHeldUpBeforeIsNotLate) {
  // Rank 1 has all it needs of number 2 and went on; its own part is missing.
  Ranks ranks = ranks_of(3);
  for (auto& view : ranks) enter(*view, operation("all_gather", 2, false));
  ranks[1]->operations.back().done = true;
  enter(*ranks[1], operation("all_reduce", 3, false));
  ranks[0]->awaited = ranks[2]->awaited = {1};
  ranks[1]->awaited = {0, 2};
  EXPECT_EQ(diagnose(ranks).culprits, std::vector<int>{1});
}

TEST(DiagnosisTest, ASilentRankIsNamedThoughItEntered) {
  Ranks ranks = ranks_of(3);
  for (auto& view : ranks) enter(*view, operation("all_reduce", 2, false));
  EXPECT_TRUE(diagnose(ranks).culprits.empty());
  ranks[1]->beat_time = kNow - 61;
  ranks[1]->process = "stopped";
  const Diagnosis diagnosis = diagnose(ranks);
  EXPECT_EQ(diagnosis.culprits, std::vector<int>{1});
  expect_line(
      diagnosis, 0,
      {"rank 1", "no sign of life for 61.0 s", "its process is stopped"});
}

TEST(DiagnosisTest, AfterTheJobThatProcessesAreGoneSaysNothing) {
  Ranks ranks = ranks_of(3);
  for (auto& view : ranks) view->process = "gone";
  EXPECT_TRUE(diagnose(ranks).culprits.empty());
  ranks[0]->process = ranks[2]->process = "running";
  EXPECT_EQ(diagnose(ranks).culprits, std::vector<int>{1});
}

// Rank 2's watchdog was the first to give up, and its process ended with that.
TEST(DiagnosisTest, AWatchdogThatEndedItsRankDoesNotMakeItTheCulprit) {
  Ranks ranks = ranks_of(3);
  for (auto& view : ranks) enter(*view, operation("all_reduce", 2, false));
  ranks[0]->beat_time = kNow - 61;
  ranks[0]->process = "stopped";
  ranks[1]->process = "running";
  ranks[2]->process = "gone";
  EXPECT_EQ(diagnose(ranks).culprits, std::vector<int>{0});
}

TEST(DiagnosisTest, WhoseDataMostLackIsCutOff) {
  Ranks ranks = ranks_of(3);
  for (auto& view : ranks) enter(*view, operation("all_reduce", 2, false));
  ranks[0]->awaited = {2};
  ranks[1]->awaited = {2};
  ranks[2]->awaited = {0, 1};
  const Diagnosis diagnosis = diagnose(ranks);
  EXPECT_EQ(diagnosis.culprits, std::vector<int>{2});
  expect_line(
      diagnosis, 0,
      {"rank 2 on node2", "nothing from it reaches ranks 0, 1", "network"});
}

TEST(DiagnosisTest, AKilledRankComesFirst) {
  Ranks ranks = ranks_of(2);
  enter(*ranks[0], operation("all_reduce", 2, false));
  enter(*ranks[1], operation("all_reduce", 2, false));
  ranks[1]->end = RingEnd::kKilled;
  EXPECT_EQ(diagnose(ranks).culprits, std::vector<int>{1});
}

TEST(DiagnosisTest, AStuckRankIsNamedWhereNobodyWaits) {
  Ranks ranks = ranks_of(2);
  ranks[1]->phase = Phase::kSave;
  const Diagnosis diagnosis = diagnose(ranks, 1);
  EXPECT_EQ(diagnosis.culprits, std::vector<int>{1});
  expect_line(diagnosis, 0, {"rank 1", "no progress", "phase save"});
}

}  // namespace
}  // namespace sono
