// Collectives against sums and copies worked out by hand, on integers, for
// sizes 0, 1 and uneven. Under mpirun the same tests run between processes.

#include <gtest/gtest.h>

#include <numeric>

#include "core/error.h"
#include "tests/dist/test_world.h"

namespace sono {
namespace {

at::Tensor range_from(std::int64_t first, std::int64_t count) {
  return at::arange(first, first + count, at::kLong);
}

class CollectiveTest : public ::testing::TestWithParam<int> {
 protected:
  void run(const std::function<void(Communicator&)>& body) {
    run_world(GetParam(), body);
  }
};

TEST_P(CollectiveTest, AllReduceAddsOverRanks) {
  run([](Communicator& comm) {
    const int n = comm.world_size();
    for (const std::int64_t size : {0, 1, 7, 1000}) {
      at::Tensor mine = range_from(comm.rank() * 100, size);
      comm.all_reduce(mine);
      const at::Tensor expected =
          range_from(0, size) * n + 100 * (n * (n - 1) / 2);
      EXPECT_TRUE(at::equal(mine, expected)) << "size " << size;
    }
  });
}

TEST_P(CollectiveTest, ReduceScatterGivesEachRankItsPart) {
  run([](Communicator& comm) {
    const int n = comm.world_size();
    for (const std::int64_t size : {0, 1, 7, 1000}) {
      const at::Tensor mine = comm.reduce_scatter(range_from(0, size));
      const auto begin = split_point(size, n, comm.rank());
      const auto end = split_point(size, n, comm.rank() + 1);
      EXPECT_TRUE(at::equal(mine, range_from(begin, end - begin) * n));
    }
  });
}

TEST_P(CollectiveTest, AllGatherTakesUnevenLengths) {
  run([](Communicator& comm) {
    const auto all = comm.all_gather(range_from(comm.rank(), comm.rank()));
    ASSERT_EQ(static_cast<int>(all.size()), comm.world_size());
    for (int r = 0; r < comm.world_size(); ++r) {
      EXPECT_TRUE(at::equal(all[r], range_from(r, r)));
    }
  });
}

TEST_P(CollectiveTest, AllToAllTransposes) {
  run([](Communicator& comm) {
    const int n = comm.world_size();
    std::vector<at::Tensor> send;
    for (int to = 0; to < n; ++to) {
      send.push_back(range_from(1000 * comm.rank() + to, comm.rank() * to));
    }
    const auto received = comm.all_to_all(send);
    for (int from = 0; from < n; ++from) {
      EXPECT_TRUE(
          at::equal(received[from],
                    range_from(1000 * from + comm.rank(), from * comm.rank())));
    }
  });
}

TEST_P(CollectiveTest, BroadcastFromEveryRoot) {
  run([](Communicator& comm) {
    for (int root = 0; root < comm.world_size(); ++root) {
      at::Tensor mine = range_from(comm.rank(), 5);
      comm.broadcast(mine, root);
      EXPECT_TRUE(at::equal(mine, range_from(root, 5)));
    }
    comm.barrier();
  });
}

TEST_P(CollectiveTest, SplitGroupsWorkOnTheirOwn) {
  run([](Communicator& comm) {
    const int n = comm.world_size();
    for (int round = 0; round < 2; ++round) {
      const auto part = comm.split(comm.rank() % 2);
      EXPECT_EQ(part->world_size(), (n + 1 - comm.rank() % 2) / 2);
      EXPECT_EQ(part->rank(), comm.rank() / 2);
      at::Tensor ranks = at::full({3}, comm.rank(), at::kLong);
      part->all_reduce(ranks);
      std::int64_t expected = 0;
      for (int r = comm.rank() % 2; r < n; r += 2) expected += r;
      EXPECT_TRUE(at::equal(ranks, at::full({3}, expected, at::kLong)));
      comm.barrier();  // the whole group is still of use
    }
  });
}

TEST_P(CollectiveTest, TextTravels) {
  run([](Communicator& comm) {
    const std::string mine(comm.rank(), 'a');
    const auto texts = gather_strings(comm, mine);
    for (int r = 0; r < comm.world_size(); ++r) {
      EXPECT_EQ(texts[r], std::string(r, 'a'));
    }
    const int last = comm.world_size() - 1;
    EXPECT_EQ(broadcast_string(comm, mine, last), std::string(last, 'a'));
  });
}

TEST_P(CollectiveTest, DifferentHashIsNamed) {
  run([](Communicator& comm) {
    check_same(comm, "config", "aa");
    if (comm.world_size() == 1) return;
    const bool odd = comm.rank() == comm.world_size() - 1;
    try {
      check_same(comm, "config", odd ? "bb" : "aa");
      ADD_FAILURE() << "accepted";
    } catch (const ConfigError& e) {
      const std::string text = e.what();
      EXPECT_NE(text.find("config differs"), std::string::npos) << text;
      EXPECT_NE(text.find("rank " + std::to_string(comm.world_size() - 1)),
                std::string::npos)
          << text;
    }
  });
}

TEST_P(CollectiveTest, OneRanksErrorReachesAll) {
  run([](Communicator& comm) {
    const int last = comm.world_size() - 1;
    EXPECT_THROW(run_together(comm,
                              [&] {
                                if (comm.rank() == last) {
                                  throw ResourceError("disk full");
                                }
                              }),
                 ResourceError);
    comm.barrier();  // still in step
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, CollectiveTest,
                         ::testing::ValuesIn(rank_counts({1, 2, 3, 5})),
                         ::testing::PrintToStringParamName());

// Small whole numbers, so that sums are exact in bf16 too.
at::Tensor pattern(std::int64_t size, std::int64_t first, at::ScalarType type) {
  const at::Tensor period = at::arange(first, first + 5, at::kLong).to(type);
  return period.repeat({size / 5 + 1}).narrow(0, 0, size).contiguous();
}

class ExactSumTest
    : public ::testing::TestWithParam<std::tuple<int, at::ScalarType>> {};

TEST_P(ExactSumTest, SumsAndCopiesAreExact) {
  const auto [ranks, dtype] = GetParam();
  constexpr std::int64_t kLarge = std::int64_t{64} << 20;  // bytes
  const auto element = static_cast<std::int64_t>(at::elementSize(dtype));
  for (const std::int64_t size : {std::int64_t{0}, std::int64_t{1},
                                  std::int64_t{10007}, kLarge / element}) {
    run_world(ranks, [&, type = dtype](Communicator& comm) {
      const int n = comm.world_size();
      const at::Tensor mine = pattern(size, comm.rank(), type);
      // Sum over ranks of (i % 5 + rank).
      const at::Tensor expected = pattern(size, 0, type) * n + n * (n - 1) / 2;
      at::Tensor sum = mine.clone();
      comm.all_reduce(sum);
      EXPECT_TRUE(at::equal(sum, expected)) << size;
      const auto begin = split_point(size, n, comm.rank());
      const auto end = split_point(size, n, comm.rank() + 1);
      EXPECT_TRUE(at::equal(comm.reduce_scatter(mine),
                            expected.narrow(0, begin, end - begin)))
          << size;
      at::Tensor copy = mine.clone();
      comm.broadcast(copy, n - 1);
      EXPECT_TRUE(at::equal(copy, pattern(size, n - 1, type))) << size;
      const auto all = comm.all_gather(mine.narrow(0, 0, size / n));
      for (int r = 0; r < n; ++r) {
        EXPECT_TRUE(at::equal(all[r], pattern(size / n, r, type))) << size;
      }
    });
  }
}

INSTANTIATE_TEST_SUITE_P(
    RanksAndTypes, ExactSumTest,
    ::testing::Combine(
        ::testing::ValuesIn(rank_counts({1, 2, 3, 4, 5, 6, 7, 8})),
        ::testing::Values(at::kFloat, at::kBFloat16, at::kLong)));

TEST(LocalRanksTest, FailureOfOneEndsTheOthers) {
  if (under_mpi()) GTEST_SKIP() << "threads only";
  std::atomic<int> ended{0};
  const auto body = [&](Communicator& comm) {
    if (comm.rank() == 1) throw DataError("bad file");
    try {
      comm.barrier();
    } catch (const CommError& e) {
      EXPECT_NE(std::string(e.what()).find("rank 1 has failed"),
                std::string::npos);
      ++ended;
      throw;
    }
  };
  EXPECT_THROW(run_local_ranks(4, body), DataError);
  EXPECT_EQ(ended, 3);
}

TEST(LocalRanksTest, LateRankIsNamed) {
  if (under_mpi()) GTEST_SKIP() << "threads only";
  const auto body = [](Communicator& comm) {
    if (comm.rank() == 2) {
      std::this_thread::sleep_for(std::chrono::milliseconds(400));
    }
    comm.barrier();
  };
  try {
    run_local_ranks(3, body, 0.1);
    ADD_FAILURE() << "no deadline";
  } catch (const CommError& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("in barrier for rank 2"), std::string::npos) << text;
  }
}

TEST(LocalRanksTest, EndedRankIsNamed) {
  if (under_mpi()) GTEST_SKIP() << "threads only";
  const auto body = [](Communicator& comm) {
    if (comm.rank() == 0) comm.barrier();
  };
  EXPECT_THROW(run_local_ranks(2, body), CommError);
}

TEST(LocalRanksTest, WrongLengthIsAnError) {
  if (under_mpi()) GTEST_SKIP() << "threads only";
  const auto body = [](Communicator& comm) {
    at::Tensor mine = at::zeros({comm.rank() == 0 ? 4 : 5}, at::kFloat);
    comm.broadcast(mine);
  };
  EXPECT_THROW(run_local_ranks(2, body), CommError);
}

TEST(CommunicatorTest, TensorOnAnotherDeviceIsRefused) {
  run_world(2, [](Communicator& comm) {
    if (comm.world_size() == 1) return;
    // A meta tensor has a device and no data; so no GPU is needed here.
    at::Tensor elsewhere = at::zeros({4}, at::TensorOptions(at::kMeta));
    try {
      comm.broadcast(elsewhere);
      ADD_FAILURE() << "accepted";
    } catch (const CommError& e) {
      const std::string text = e.what();
      EXPECT_NE(text.find("meta"), std::string::npos) << text;
    }
  });
}

TEST(MpiTest, MissingRankIsNamedWithinTheDeadline) {
  if (!under_mpi()) GTEST_SKIP() << "needs mpirun";
  if (mpi_session().world_size() == 1) GTEST_SKIP() << "needs two ranks";
  {
    const bool early = mpi_session().rank() == 0;
    const auto comm = make_mpi_communicator(mpi_session(), early ? 0.2 : 30);
    if (early) {
      try {
        comm->barrier();
        ADD_FAILURE() << "no deadline";
      } catch (const CommError& e) {
        const std::string text = e.what();
        EXPECT_NE(text.find("in barrier for rank"), std::string::npos) << text;
      }
    } else {
      // Comes in the end and takes the messages that wait for it: left over,
      // they would reach the next communicator that is given this one's number.
      std::this_thread::sleep_for(std::chrono::seconds(1));
      comm->barrier();
    }
  }
  EXPECT_TRUE(mpi_session().all_arrive(30));
}

}  // namespace
}  // namespace sono
