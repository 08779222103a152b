// The prediction equals what is then held, and both equal the ZeRO formula.

#include "dist/memory_plan.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/dist/test_world.h"

namespace sono {
namespace {

// 1.2 M elements in whole blocks, so that four ranks share evenly.
constexpr std::int64_t kElements = 20 * BucketPlan::kBlock;

NamedTensors make_parameters() {
  return {{"a", at::zeros({kElements / 2}).requires_grad_()},
          {"b", at::zeros({kElements / 2}).requires_grad_()}};
}

ArenaOptions arena_options(int stage, int rank, int world_size) {
  ArenaOptions options;
  options.zero_stage = stage;
  options.rank = rank;
  options.world_size = world_size;
  options.buckets = {.first_bytes = 4 * 4 * BucketPlan::kBlock,
                     .bytes = 4 * 8 * BucketPlan::kBlock};
  return options;
}

TEST(MemoryPlanTest, FourRanksHoldWhatTheFormulaSays) {
  const Layout layout(make_parameters());
  const std::int64_t p = layout.size();
  ASSERT_EQ(p, kElements);
  const std::int64_t expected[] = {16 * p, 8 * p + 8 * p / 4,
                                   4 * p + 12 * p / 4, 16 * p / 4};
  for (int stage = 0; stage <= 3; ++stage) {
    for (int rank = 0; rank < 4; ++rank) {
      const MemoryPlan plan =
          predict_memory(layout, arena_options(stage, rank, 4), {.lanes = 8});
      EXPECT_EQ(plan.model_state(), expected[stage]) << "stage " << stage;
    }
  }
}

TEST(MemoryPlanTest, OptionalPartsAreCounted) {
  const Layout layout(make_parameters());
  ArenaOptions options = arena_options(0, 0, 1);
  options.with_ema = true;
  options.with_second_moment = false;
  EXPECT_EQ(predict_memory(layout, options, {}).model_state(), 16 * kElements);
}

void run_one_step(Arena& arena, GradientReducer& reducer) {
  for (const LaneSamples& samples : reducer.pieces(8)) {
    reducer.begin_piece();
    if (samples.size() > 0) {
      at::Tensor loss = at::zeros({});
      for (const auto& [name, tensor] : arena.parameters()) {
        loss = loss + tensor.sum();
      }
      loss.backward();
    }
    reducer.end_piece({0.0});
  }
  reducer.finish({});
}

TEST(MemoryPlanTest, PredictionEqualsMeasurement) {
  for (const int ranks : {1, 2, 3}) {
    for (const int lanes : {3, 5, 8}) {
      for (int stage = 0; stage <= 2; ++stage) {
        run_local_ranks(ranks, [&](Communicator& comm) {
          const auto options = arena_options(stage, comm.rank(), ranks);
          Arena arena(make_parameters(), options);
          const ReducerOptions reducer_options = {.lanes = lanes};
          CommQueue queue(comm, true);
          const auto reducer =
              make_gradient_reducer(queue, arena, reducer_options);
          run_one_step(arena, *reducer);
          const auto predicted =
              predict_memory(arena.layout(), options, reducer_options);
          const auto measured = measure_memory(arena, *reducer);
          EXPECT_EQ(predicted.model_state(), measured.model_state());
          EXPECT_EQ(predicted.lane_buffers, measured.lane_buffers)
              << lanes << " lanes, rank " << comm.rank() << " of " << ranks;
        });
      }
    }
  }
}

TEST(MemoryPlanTest, ResidentSizeIsRead) {
  EXPECT_GT(resident_bytes(), 1 << 20);
}

}  // namespace
}  // namespace sono
