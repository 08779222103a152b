// What is measured of links, and what is made of it.

#include <gtest/gtest.h>

#include "dist/host_share.h"
#include "dist/probe/clock_offsets.h"
#include "dist/probe/link_model.h"
#include "dist/probe/pair_times.h"
#include "tests/dist/test_world.h"

namespace sono {
namespace {

// The formulas of nccl-tests, by numbers worked out by hand.
TEST(AllReduceTimesTest, BandwidthsFollowNcclTests) {
  const AllReduceTime time{4, 1'000'000, 0.001, true};
  EXPECT_DOUBLE_EQ(algorithm_bandwidth(time), 1e9);
  EXPECT_DOUBLE_EQ(bus_bandwidth(time), 1.5e9);
  const AllReduceTime pair{2, 1'000'000, 0.001, true};
  EXPECT_DOUBLE_EQ(bus_bandwidth(pair), algorithm_bandwidth(pair));
}

TEST(AllReduceTimesTest, EveryRankGetsTheSameTimesOfRightSums) {
  run_world(3, [](Communicator& comm) {
    const auto times = time_all_reduce(comm, {4, 4096}, 0.01);
    ASSERT_EQ(times.size(), 2u);
    for (const AllReduceTime& time : times) {
      EXPECT_TRUE(time.correct);
      EXPECT_EQ(time.ranks, comm.world_size());
      EXPECT_GT(time.seconds, 0);
      check_same(comm, "a time", std::to_string(time.seconds));
    }
    EXPECT_EQ(times[1].bytes, 4096);
  });
}

std::vector<AllReduceTime> times_of(int ranks, double alpha, double beta) {
  std::vector<AllReduceTime> times;
  for (const std::int64_t bytes : {64, 4096, 1 << 20, 1 << 26}) {
    const double share = static_cast<double>(ranks - 1) / ranks;
    times.push_back({ranks, bytes,
                     2 * (alpha + beta * share * static_cast<double>(bytes)),
                     true});
  }
  return times;
}

TEST(LinkModelTest, TheFitFindsAlphaAndBeta) {
  const LinkModel link = fit_link(times_of(4, 25e-6, 1e-9));
  EXPECT_EQ(link.ranks, 4);
  EXPECT_NEAR(link.alpha, 25e-6, 1e-10);
  EXPECT_NEAR(link.beta, 1e-9, 1e-14);
  EXPECT_NEAR(link.exchange_seconds(1e6), 25e-6 + 0.75e-3, 1e-9);
}

TEST(LinkModelTest, NeitherPartFallsBelowZero) {
  // Larger is quicker: no beta explains that.
  const LinkModel flat = fit_link({{2, 64, 2e-3, true}, {2, 4096, 1e-3, true}});
  EXPECT_EQ(flat.beta, 0);
  EXPECT_GT(flat.alpha, 0);
  // Twice the bytes take four times as long: no alpha does.
  const LinkModel steep =
      fit_link({{2, 1000, 1e-3, true}, {2, 2000, 4e-3, true}});
  EXPECT_EQ(steep.alpha, 0);
  EXPECT_GT(steep.beta, 0);
}

TEST(LinkModelTest, OtherNumbersOfRanksLieBetweenOrBeyond) {
  const std::vector<LinkModel> measured = {{2, 10e-6, 1e-9}, {4, 30e-6, 2e-9}};
  EXPECT_EQ(link_for(measured, 1).exchange_seconds(1e9), 0);
  EXPECT_DOUBLE_EQ(link_for(measured, 2).alpha, 10e-6);
  EXPECT_DOUBLE_EQ(link_for(measured, 3).alpha, 20e-6);
  EXPECT_DOUBLE_EQ(link_for(measured, 3).beta, 1.5e-9);
  EXPECT_DOUBLE_EQ(link_for(measured, 7).alpha, 60e-6);
  EXPECT_DOUBLE_EQ(link_for(measured, 7).beta, 2e-9);
}

// Four hosts; all pairs with host 2 are slow.
std::vector<PairTime> pairs_with_a_slow_host() {
  std::vector<PairTime> pairs;
  for (int i = 0; i < 4; ++i) {
    for (int k = i + 1; k < 4; ++k) {
      const bool slow = i == 2 || k == 2;
      pairs.push_back({i, k, false, 20e-6, slow ? 3e8 : 1e9});
    }
  }
  return pairs;
}

TEST(PairTimesTest, SlowLinksAreNamed) {
  auto pairs = pairs_with_a_slow_host();
  pairs.push_back({0, 4, true, 1e-6, 1e8});  // alone of its kind
  pairs.push_back({0, 5, false, 500e-6, 1e9});
  // With half of the pairs slow, the median is no fast one.
  pairs.push_back({1, 5, false, 20e-6, 1e9});
  pairs.push_back({3, 5, false, 20e-6, 1e9});
  std::vector<std::pair<int, int>> slow;
  for (const PairTime& pair : slow_pairs(pairs)) {
    slow.emplace_back(pair.first, pair.second);
  }
  EXPECT_EQ(slow,
            (std::vector<std::pair<int, int>>{{0, 2}, {1, 2}, {2, 3}, {0, 5}}));
}

TEST(PairTimesTest, EveryPairIsTimedOnce) {
  run_world(3, [](Communicator& comm) {
    const std::vector<std::string> hosts(comm.world_size(), "one");
    const auto ranks = ranks_to_pair(hosts, 16);
    const auto pairs = time_pairs(comm, ranks, hosts, 4096);
    const int n = comm.world_size();
    ASSERT_EQ(std::ssize(pairs), n * (n - 1) / 2);
    for (const PairTime& pair : pairs) {
      EXPECT_LT(pair.first, pair.second);
      EXPECT_TRUE(pair.local);
      EXPECT_GT(pair.bandwidth, 0);
    }
  });
}

TEST(PairTimesTest, OfManyRanksTheFirstOfEachHostIsPaired) {
  const std::vector<std::string> hosts = {"a", "a", "b", "b", "c"};
  EXPECT_EQ(ranks_to_pair(hosts, 8), (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(ranks_to_pair(hosts, 4), (std::vector<int>{0, 2, 4}));
  EXPECT_EQ(ranks_to_pair(hosts, 2), (std::vector<int>{0, 2}));
}

TEST(ClockOffsetsTest, OneClockIsNotAheadOfItself) {
  run_world(3, [](Communicator& comm) {
    const auto offsets = clock_offsets(comm);
    ASSERT_EQ(std::ssize(offsets), comm.world_size());
    for (const ClockOffset& offset : offsets) {
      EXPECT_LE(std::abs(offset.seconds), offset.within + 1e-4);
      EXPECT_LT(offset.within, 1);
    }
  });
}

TEST(HostShareTest, RanksAndCoresAreCounted) {
  run_world(3, [](Communicator& comm) {
    const HostShare share = share_of_host(comm);
    EXPECT_EQ(share.ranks_here, comm.world_size());
    EXPECT_EQ(share.most_ranks, comm.world_size());
    EXPECT_GT(share.cores, 0);
  });
  EXPECT_EQ(usable_cores({0, 1, 1, 2}, 0), 3);
  EXPECT_EQ(usable_cores({0, 1, 2, 3}, 1.5), 1.5);
  EXPECT_EQ(usable_cores({}, 0), 1);
}

}  // namespace
}  // namespace sono
