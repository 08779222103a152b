// Cuts for communication: complete, aligned, in backward's order.

#include "dist/bucket_plan.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "dist/arena.h"
#include "dist/flat_buffer.h"

namespace sono {
namespace {

constexpr std::int64_t kBlock = BucketPlan::kBlock;

NamedTensors tensors() {
  return {{"a", at::zeros({3 * kBlock + 5})},
          {"b", at::zeros({100})},
          {"c", at::zeros({2, kBlock})},
          {"d", at::zeros({7})}};
}

TEST(BucketPlanTest, BucketsCoverTheBufferFromItsEnd) {
  const Layout layout(tensors());
  const BucketPlan plan(layout, {.first_bytes = 1, .bytes = 8 * kBlock}, 3);
  std::int64_t end = layout.size();
  for (const Bucket& bucket : plan.buckets()) {
    EXPECT_EQ(bucket.range.end, end);
    EXPECT_EQ(bucket.range.begin % kBlock, 0);
    end = bucket.range.begin;
    for (std::size_t i = 0; i < layout.entries().size(); ++i) {
      const Range entry = layout.range_of(i);
      const bool overlaps =
          entry.begin < bucket.range.end && entry.end > bucket.range.begin;
      EXPECT_EQ(overlaps, i >= bucket.first_entry && i < bucket.last_entry);
    }
  }
  EXPECT_EQ(end, 0);
  EXPECT_LE(plan.buckets().front().range.size(), kBlock);
  EXPECT_EQ(plan.buckets().size(), 4u);
}

TEST(BucketPlanTest, EveryElementHasOneOwner) {
  const Layout layout(tensors());
  for (const int world : {1, 2, 3, 5, 9}) {
    const BucketPlan plan(layout, {}, world);
    std::vector<int> owners(layout.size() / 64, 0);
    for (int rank = 0; rank < world; ++rank) {
      std::int64_t last = 0;
      for (const Range& range : plan.owned(rank)) {
        EXPECT_TRUE(range.begin % kBlock == 0 && range.begin >= last);
        EXPECT_TRUE(range.end % kBlock == 0 || range.end == layout.size());
        for (auto i = range.begin; i < range.end; i += 64) ++owners[i / 64];
        last = range.end;
      }
    }
    for (const int count : owners) EXPECT_EQ(count, 1);
  }
}

TEST(BucketPlanTest, BlocksAreCutAtAbsolutePositions) {
  const auto blocks = blocks_of({kBlock - 64, 2 * kBlock + 64});
  const std::vector<Range> expected = {{kBlock - 64, kBlock},
                                       {kBlock, 2 * kBlock},
                                       {2 * kBlock, 2 * kBlock + 64}};
  EXPECT_EQ(blocks, expected);
  EXPECT_TRUE(blocks_of({5, 5}).empty());
}

TEST(FlatBufferTest, ViewsLieWithinHeldRanges) {
  const FlatBuffer buffer({{0, 64}, {128, 256}}, at::kFloat);
  EXPECT_EQ(buffer.data.numel(), 192);
  buffer.data.copy_(at::arange(192));
  EXPECT_EQ(buffer.view({130, 140})[0].item<float>(), 66);
  EXPECT_TRUE(buffer.holds({0, 64}));
  EXPECT_FALSE(buffer.holds({60, 130}));
  EXPECT_THROW(buffer.view({64, 65}), Error);
  EXPECT_THROW(FlatBuffer({{64, 128}, {0, 64}}, at::kFloat), Error);
}

TEST(ArenaTest, StagesHoldWhatTheDesignSays) {
  for (int stage = 0; stage <= 2; ++stage) {
    NamedTensors parameters = tensors();
    for (auto& [name, tensor] : parameters) tensor.requires_grad_();
    const Arena arena(
        parameters,
        {.with_ema = true, .zero_stage = stage, .rank = 1, .world_size = 4});
    const std::int64_t whole = arena.layout().size();
    std::int64_t owned = 0;
    for (const Range& range : arena.owned()) owned += range.size();
    EXPECT_LT(owned, whole);
    EXPECT_EQ(arena.params.data.numel(), whole);
    EXPECT_EQ(arena.grad.data.numel(), stage >= 2 ? owned : whole);
    EXPECT_EQ(arena.exp_avg.data.numel(), stage >= 1 ? owned : whole);
    EXPECT_EQ(arena.exp_avg_sq.data.numel(), stage >= 1 ? owned : whole);
    EXPECT_EQ(arena.ema.data.numel(), stage >= 1 ? owned : whole);
  }
}

}  // namespace
}  // namespace sono
