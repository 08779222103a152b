#include "core/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "core/error.h"

namespace sono {
namespace {

using Block = std::array<std::uint32_t, 4>;

// Known answers published with Random123 (kat_vectors, philox4x32 10 rounds).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                       {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

std::uint64_t first_draw(const RandomKey& key) { return Random(key).bits64(); }

TEST(MakeKey, EveryPartCounts) {
  std::set<std::uint64_t> draws = {
      first_draw(make_key("a", 1, 2, 3)), first_draw(make_key("b", 1, 2, 3)),
      first_draw(make_key("a", 2, 2, 3)), first_draw(make_key("a", 1, 3, 3)),
      first_draw(make_key("a", 1, 2, 4)), first_draw(make_key("a", 2, 1, 3))};
  EXPECT_EQ(draws.size(), 6u);
}

TEST(MakeKey, SeedsKeepAll64Bits) {
  const std::uint64_t far = 1 + (std::uint64_t{1} << 32);
  EXPECT_NE(first_draw(make_key("noise", 1)),
            first_draw(make_key("noise", far)));
  EXPECT_NE(first_draw(make_key("noise", 0, 1)),
            first_draw(make_key("noise", 0, far)));
}

TEST(Random, EqualKeysGiveEqualStreams) {
  Random a(make_key("stream", 7)), b(make_key("stream", 7));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(a.bits(), b.bits());
}

// Bounds are five standard errors of 200,000 draws.
TEST(Random, NormalMoments) {
  constexpr int kDraws = 200000;
  Random random(make_key("moments", 1));
  double sum = 0, squares = 0, cubes = 0, fourths = 0, neighbours = 0, last = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
    cubes += x * x * x;
    fourths += x * x * x * x;
    neighbours += x * last;
    last = x;
  }
  const double root = std::sqrt(double{kDraws});
  EXPECT_NEAR(sum / kDraws, 0, 5 / root);
  EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt(2.0) / root);
  EXPECT_NEAR(cubes / kDraws, 0, 5 * std::sqrt(15.0) / root);
  EXPECT_NEAR(fourths / kDraws, 3, 5 * std::sqrt(96.0) / root);
  EXPECT_NEAR(neighbours / kDraws, 0, 5 / root);
}

TEST(Random, UniformStaysInRangeAndHasItsMean) {
  constexpr int kDraws = 100000;
  std::vector<float> values(kDraws);
  Random(make_key("uniform", 1)).fill_uniform(values.data(), values.size());
  double sum = 0;
  for (float value : values) {
    ASSERT_GE(value, 0.0f);
    ASSERT_LT(value, 1.0f);
    sum += value;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 5 / std::sqrt(12.0 * kDraws));
}

TEST(Random, FillNormalIsTheStreamOfSingleDraws) {
  std::vector<float> filled(7);
  Random(make_key("fill", 1)).fill_normal(filled.data(), filled.size());
  Random single(make_key("fill", 1));
  for (float value : filled) {
    EXPECT_EQ(value, static_cast<float>(single.normal()));
  }
}

TEST(Random, BelowCoversItsRangeEvenly) {
  constexpr int kDraws = 70000;
  std::vector<int> counts(7);
  Random random(make_key("below", 1));
  for (int i = 0; i < kDraws; ++i) ++counts.at(random.below(7));
  for (int count : counts) EXPECT_NEAR(count, kDraws / 7, 5 * std::sqrt(8600));
  EXPECT_EQ(Random(make_key("below", 1)).below(1), 0u);
  EXPECT_THROW(Random(make_key("below", 1)).below(0), Error);
}

TEST(PermutedIndex, IsABijectionForEverySize) {
  for (std::uint64_t size : {1, 2, 3, 5, 16, 17, 999, 4097}) {
    std::vector<bool> seen(size);
    for (std::uint64_t i = 0; i < size; ++i) {
      const auto to = permuted_index(i, size, make_key("order", 1));
      ASSERT_LT(to, size);
      ASSERT_FALSE(seen[to]) << to << " of " << size << " comes twice";
      seen[to] = true;
    }
  }
}

TEST(PermutedIndex, KeysGiveDifferentOrders) {
  int equal = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    equal += permuted_index(i, 1000, make_key("order", 1)) ==
             permuted_index(i, 1000, make_key("order", 2));
  }
  EXPECT_LT(equal, 10);
  EXPECT_THROW(permuted_index(5, 5, make_key("order", 1)), Error);
}

}  // namespace
}  // namespace sono
