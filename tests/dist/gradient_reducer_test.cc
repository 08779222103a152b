// The reduction gives the bits of one fixed tree, whoever runs the lanes and
// whatever is sharded; `fast` gives the same sum to rounding.

#include "dist/reducer/gradient_reducer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "dist/gradient_norm.h"
#include "dist/reducer/comm_queue.h"
#include "dist/reducer/lane_tree.h"
#include "tests/dist/test_world.h"

namespace sono {
namespace {

constexpr int kBatch = 24;

// Several buckets of up to three blocks, one parameter across most of them.
NamedTensors make_parameters() {
  NamedTensors parameters = {{"weight", at::zeros({5, 31})},
                             {"large", at::zeros({3, 90001})},
                             {"bias", at::zeros({70})}};
  for (auto& [name, tensor] : parameters) tensor.requires_grad_();
  return parameters;
}

ArenaOptions arena_options(const Communicator& comm, int stage) {
  ArenaOptions options;
  options.zero_stage = stage;
  options.rank = comm.rank();
  options.world_size = comm.world_size();
  options.buckets = {.first_bytes = 1, .bytes = 12 * BucketPlan::kBlock};
  return options;
}

// Gradients that make the order of additions visible.
at::Tensor lane_gradient(int lane, std::size_t entry) {
  Random random(make_key("test.lane", entry, lane));
  at::Tensor gradient =
      at::empty(make_parameters()[entry].second.sizes(), at::kFloat);
  random.fill_normal(gradient.data_ptr<float>(), gradient.numel());
  return gradient * std::pow(10.0, lane % 5);
}

at::Tensor flat_gradient(const Layout& layout, int lane) {
  at::Tensor flat = at::zeros({layout.size()});
  const NamedTensors views = layout.views(flat);
  for (std::size_t i = 0; i < views.size(); ++i) {
    views[i].second.copy_(lane_gradient(lane, i));
  }
  return flat;
}

// The definition, by recursion: node over lanes [begin, begin + width).
at::Tensor tree_sum(const Layout& layout, int begin, int width, int lanes) {
  if (width == 1) return flat_gradient(layout, begin);
  const int half = width / 2;
  const at::Tensor left = tree_sum(layout, begin, half, lanes);
  if (begin + half >= lanes) return left;
  return left + tree_sum(layout, begin + half, half, lanes);
}

int tree_width(int lanes) {
  int width = 1;
  while (width < lanes) width *= 2;
  return width;
}

at::Tensor tree_sum(const Layout& layout, int lanes) {
  return tree_sum(layout, 0, tree_width(lanes), lanes);
}

// The lane whose samples these are; -1 for none.
int lane_of(const LaneSamples& samples, int lanes) {
  for (int lane = 0; lane < lanes; ++lane) {
    if (samples.size() > 0 &&
        samples.begin == split_point(kBatch, lanes, lane)) {
      return lane;
    }
  }
  return -1;
}

// Where a rank has the sum.
std::vector<Range> summed_ranges(const Arena& arena) {
  return arena.zero_stage() == 0 ? std::vector<Range>{arena.layout().all()}
                                 : arena.owned();
}

double lane_scalar(int lane) { return 1.0 / (lane + 3); }

// One step in which lane k leaves lane_gradient(k); `only` limits `bias` to one
// lane.
StepSums run_step(GradientReducer& reducer, const Arena& arena, int lanes,
                  const RankReport& report, int only = -1) {
  for (const LaneSamples& samples : reducer.pieces(kBatch)) {
    const int lane = lane_of(samples, lanes);
    reducer.begin_piece();
    if (lane >= 0) {
      at::Tensor loss = at::zeros({});
      for (std::size_t i = 0; i < arena.parameters().size(); ++i) {
        if (i == 2 && only >= 0 && lane != only) continue;
        loss = loss +
               (arena.parameters()[i].second * lane_gradient(lane, i)).sum();
      }
      loss.backward();
    }
    reducer.end_piece({lane >= 0 ? lane_scalar(lane) : 0.0});
  }
  return reducer.finish(report);
}

struct Case {
  int ranks;
  int lanes;
  int stage;
  bool overlap;
};

class ExactReducerTest : public ::testing::TestWithParam<Case> {};

TEST_P(ExactReducerTest, EqualsTheTreeBitForBit) {
  const Case param = GetParam();
  const Layout layout(make_parameters());
  const at::Tensor expected = tree_sum(layout, param.lanes);
  run_world(param.ranks, [&](Communicator& comm) {
    Arena arena(make_parameters(), arena_options(comm, param.stage));
    CommQueue queue(comm, param.overlap);
    const auto reducer =
        make_gradient_reducer(queue, arena, {.lanes = param.lanes});
    for (int step = 0; step < 2; ++step) {  // the second uses old buffers
      RankReport report;
      report.vote = comm.rank() == 0;
      report.times[1] = comm.rank() + 0.5;
      const StepSums sums = run_step(*reducer, arena, param.lanes, report);
      for (const Range& range : summed_ranges(arena)) {
        EXPECT_TRUE(at::equal(arena.grad.view(range),
                              expected.narrow(0, range.begin, range.size())));
      }
      EXPECT_TRUE(sums.any_vote());
      EXPECT_EQ(sums.ranks.back().times[1], comm.world_size() - 0.5);
      LaneTree<double> tree(param.lanes);
      for (int lane = 0; lane < param.lanes; ++lane) {
        tree.push({0, lane, lane_scalar(lane)},
                  [](double& left, double right) { left += right; });
      }
      EXPECT_EQ(sums.scalars.at(0), tree.nodes().front().sum);
    }
    const double norm = gradient_norm(comm, arena);
    double squares = 0;
    for (const double block : block_squares(expected)) squares += block;
    EXPECT_EQ(norm, std::sqrt(squares));
  });
}

std::vector<Case> exact_cases() {
  std::vector<Case> cases;
  for (const int ranks : rank_counts({2, 1, 3, 4, 6, 8})) {
    for (const int lanes : {1, 5, 8}) {
      for (const int stage : {0, 1, 2}) {
        cases.push_back({ranks, lanes, stage, ranks % 2 == 0});
      }
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(RanksLanesStages, ExactReducerTest,
                         ::testing::ValuesIn(exact_cases()));

TEST(GradientReducerTest, TreeIsNotALeftFold) {
  // The negative control: these gradients do tell one order from another.
  const Layout layout(make_parameters());
  at::Tensor fold = flat_gradient(layout, 0);
  for (int lane = 1; lane < 8; ++lane) {
    fold = fold + flat_gradient(layout, lane);
  }
  EXPECT_FALSE(at::equal(fold, tree_sum(layout, 8)));
}

// Largest error of the fast sum, relative to the largest element.
double fast_error(Communicator& comm, int stage, bool bf16_wire) {
  constexpr int kLanes = 8;
  Arena arena(make_parameters(), arena_options(comm, stage));
  CommQueue queue(comm, true);
  const auto reducer = make_gradient_reducer(
      queue, arena, {.exact = false, .lanes = kLanes, .bf16_wire = bf16_wire});
  run_step(*reducer, arena, kLanes, {});
  const at::Tensor expected = tree_sum(arena.layout(), kLanes);
  double error = 0;
  for (const Range& range : summed_ranges(arena)) {
    const at::Tensor gap =
        arena.grad.view(range) - expected.narrow(0, range.begin, range.size());
    error = std::max(error, gap.abs().max().item<double>());
  }
  return error / expected.abs().max().item<double>();
}

TEST(FastReducerTest, EqualsTheTreeToRounding) {
  for (const int ranks : {1, 2, 3, 8}) {
    for (const int stage : {0, 1, 2}) {
      run_world(ranks, [&](Communicator& comm) {
        EXPECT_LT(fast_error(comm, stage, false), 1e-6);
      });
    }
  }
}

TEST(FastReducerTest, Bf16OnTheWireLosesWhatBf16Loses) {
  for (const int stage : {0, 2}) {
    run_local_ranks(2, [&](Communicator& comm) {
      const double error = fast_error(comm, stage, true);
      EXPECT_LT(error, 0.02);
      EXPECT_GT(error, 1e-6) << "rank " << comm.rank();
    });
  }
}

TEST(FastReducerTest, MoreRanksThanLanesAllWork) {
  run_local_ranks(3, [](Communicator& comm) {
    Arena arena(make_parameters(), arena_options(comm, 0));
    CommQueue queue(comm, true);
    const auto reducer =
        make_gradient_reducer(queue, arena, {.exact = false, .lanes = 1});
    EXPECT_EQ(reducer->pieces(kBatch).size(), 1u);
    EXPECT_EQ(reducer->pieces(kBatch)[0].size(), kBatch / 3);
  });
}

TEST(GradientReducerTest, GradientsStayViewsOfTheArena) {
  run_local_ranks(2, [](Communicator& comm) {
    Arena arena(make_parameters(), arena_options(comm, 0));
    CommQueue queue(comm, true);
    const auto reducer =
        make_gradient_reducer(queue, arena, {.exact = false, .lanes = 4});
    const auto* before = arena.parameters()[1].second.grad().const_data_ptr();
    for (int step = 0; step < 3; ++step) run_step(*reducer, arena, 4, {});
    EXPECT_EQ(arena.parameters()[1].second.grad().const_data_ptr(), before);
    const Range range = arena.layout().range_of(1);
    EXPECT_EQ(before, arena.grad.view(range).const_data_ptr());
  });
}

TEST(GradientReducerTest, ParameterWithoutGradientIsNamed) {
  for (const int stage : {0, 2}) {
    run_local_ranks(2, [&](Communicator& comm) {
      Arena arena(make_parameters(), arena_options(comm, stage));
      CommQueue queue(comm, true);
      const auto reducer = make_gradient_reducer(queue, arena, {.lanes = 4});
      try {
        run_step(*reducer, arena, 4, {}, /*only=*/99);
        ADD_FAILURE() << "accepted";
      } catch (const Error& e) {
        EXPECT_NE(std::string(e.what()).find("parameter bias"),
                  std::string::npos);
      }
    });
  }
}

TEST(GradientReducerTest, GradientInOneLaneIsEnough) {
  run_local_ranks(2, [](Communicator& comm) {
    Arena arena(make_parameters(), arena_options(comm, 0));
    CommQueue queue(comm, true);
    const auto reducer = make_gradient_reducer(queue, arena, {.lanes = 4});
    run_step(*reducer, arena, 4, {}, /*only=*/2);
    EXPECT_TRUE(at::equal(arena.layout().views(arena.grad.data)[2].second,
                          lane_gradient(2, 2)));
  });
}

TEST(CommQueueTest, ErrorOfAJobReachesTheWaiter) {
  run_local_ranks(2, [](Communicator& comm) {
    CommQueue queue(comm, true);
    int later = 0;
    queue.post([] { throw CommError("lost"); });
    queue.post([&] { ++later; });
    EXPECT_THROW(queue.wait(), CommError);
    EXPECT_EQ(later, 0);
    const auto ticket = queue.post([&] { ++later; });
    queue.wait_for(ticket);
    EXPECT_EQ(later, 1);
  });
}

TEST(CommQueueTest, ErrorBesideAJobUnderWayEndsBoth) {
  // Rank 0 leaves while its job waits for a peer that never comes.
  EXPECT_THROW(run_local_ranks(2,
                               [](Communicator& comm) {
                                 if (comm.rank() == 1) {
                                   std::this_thread::sleep_for(
                                       std::chrono::milliseconds(200));
                                   return;
                                 }
                                 CommQueue queue(comm, true);
                                 queue.post([&] { comm.barrier(); });
                                 throw DataError("bad image");
                               }),
               DataError);
}

TEST(LayoutTest, TwoEqualNamesAreRefused) {
  EXPECT_THROW(Layout({{"w", at::zeros({1})}, {"w", at::zeros({1})}}), Error);
}

}  // namespace
}  // namespace sono
