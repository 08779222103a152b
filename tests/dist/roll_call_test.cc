// Ranks that cannot work together are refused, with the culprits' names.

#include "dist/roll_call.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/core/expect_error.h"
#include "tests/dist/test_world.h"

namespace sono {
namespace {

// Two hosts of two ranks, each with a device of its own.
std::vector<RankIdentity> four_ranks() {
  return {{0, 0, "a", "GPU-1", "aaaa"},
          {1, 1, "a", "GPU-2", "aaaa"},
          {2, 0, "b", "GPU-1", "aaaa"},
          {3, 1, "b", "GPU-2", "aaaa"}};
}

TEST(RollCallTest, RanksThatFitAreAccepted) {
  EXPECT_NO_THROW(check_identities(four_ranks()));
  auto ranks = four_ranks();
  for (auto& rank : ranks) rank.device = "cpu";
  EXPECT_NO_THROW(check_identities(ranks));
  for (auto& rank : ranks) rank.local_rank = -1;
  EXPECT_NO_THROW(check_identities(ranks));
}

TEST(RollCallTest, AnotherProgramIsRefused) {
  auto ranks = four_ranks();
  ranks[2].program = "bbbb";
  EXPECT_ERROR(check_identities(ranks), ConfigError, "the program differs",
               "rank 0 on a runs aaaa", "rank 2 on b runs bbbb");
}

TEST(RollCallTest, TwoRanksOnOneDeviceAreRefused) {
  auto ranks = four_ranks();
  ranks[3].device = "GPU-1";
  EXPECT_ERROR(check_identities(ranks), ConfigError,
               "rank 2 on b and rank 3 on b would share the device GPU-1",
               "CUDA_VISIBLE_DEVICES");
}

TEST(RollCallTest, AWrongLocalRankIsRefused) {
  auto ranks = four_ranks();
  ranks[1].local_rank = 0;
  EXPECT_ERROR(check_identities(ranks), ConfigError,
               "rank 0 on a and rank 1 on a were both given local rank 0");
  ranks[1].local_rank = 2;
  EXPECT_ERROR(check_identities(ranks), ConfigError,
               "rank 1 on a was given local rank 2", "only 2 ranks");
}

TEST(RollCallTest, EveryRankLearnsWhoTheOthersAre) {
  run_world(3, [](Communicator& comm) {
    const RankIdentity own = {comm.rank(), comm.rank(), "host",
                              "GPU-" + std::to_string(comm.rank()), "aaaa"};
    const auto ranks = call_roll(comm, own);
    ASSERT_EQ(static_cast<int>(ranks.size()), comm.world_size());
    for (const RankIdentity& rank : ranks) {
      EXPECT_EQ(rank.device, "GPU-" + std::to_string(rank.rank));
    }
  });
}

TEST(RollCallTest, EveryRankRefusesTheSameCulprit) {
  run_world(3, [](Communicator& comm) {
    if (comm.world_size() == 1) return;
    const bool last = comm.rank() == comm.world_size() - 1;
    const RankIdentity own = {comm.rank(), comm.rank(), "host", "cpu",
                              last ? "bbbb" : "aaaa"};
    EXPECT_ERROR(
        call_roll(comm, own), ConfigError,
        "rank " + std::to_string(comm.world_size() - 1) + " on host runs bbbb");
    comm.barrier();  // still in step
  });
}

}  // namespace
}  // namespace sono
