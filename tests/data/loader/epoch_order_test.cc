#include "data/loader/epoch_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "core/error.h"

namespace sono {
namespace {

using Counts = std::vector<std::int64_t>;

std::int64_t total(const Counts& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

// The samples in order, numbered through.
Counts sequence(const Counts& counts, const EpochOrder& order) {
  Counts first(counts.size());
  std::partial_sum(counts.begin(), counts.end() - 1, first.begin() + 1);
  Counts samples;
  for (std::int64_t k = 0; k < order.size(); ++k) {
    const auto [shard, number] = order.at(k);
    EXPECT_LT(number, counts.at(static_cast<std::size_t>(shard)));
    samples.push_back(first[static_cast<std::size_t>(shard)] + number);
  }
  return samples;
}

TEST(EpochOrder, EverySampleComesOnceInEveryEpoch) {
  for (const Counts& counts :
       {Counts{1}, Counts{5, 5, 5, 2}, Counts{0, 3, 0, 7, 1, 0}, Counts(40, 9),
        Counts{64}}) {
    for (const auto shuffle :
         {Shuffle::kNone, Shuffle::kShards, Shuffle::kFull}) {
      for (const int window : {1, 3, 100}) {
        for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
          const EpochOrder order(counts, shuffle, window, 7, epoch);
          ASSERT_EQ(order.size(), total(counts));
          auto samples = sequence(counts, order);
          std::sort(samples.begin(), samples.end());
          for (std::size_t k = 0; k < samples.size(); ++k) {
            ASSERT_EQ(samples[k], static_cast<std::int64_t>(k));
          }
        }
      }
    }
  }
}

TEST(EpochOrder, WithoutShuffleSamplesComeAsNumbered) {
  const Counts counts{3, 0, 4};
  const EpochOrder order(counts, Shuffle::kNone, 16, 1, 5);
  auto samples = sequence(counts, order);
  EXPECT_TRUE(std::is_sorted(samples.begin(), samples.end()));
}

TEST(EpochOrder, EpochsAndSeedsDifferAndRepeat) {
  const Counts counts(10, 8);
  for (const auto shuffle : {Shuffle::kShards, Shuffle::kFull}) {
    const auto at = [&](std::uint64_t seed, std::int64_t epoch) {
      return sequence(counts, EpochOrder(counts, shuffle, 4, seed, epoch));
    };
    EXPECT_EQ(at(1, 2), at(1, 2));
    EXPECT_NE(at(1, 2), at(1, 3));
    EXPECT_NE(at(1, 2), at(2, 2));
  }
}

TEST(EpochOrder, AWindowTouchesItsShardsAlone) {
  const Counts counts{8, 8, 8, 8, 8, 8, 8, 8, 8, 3};
  const EpochOrder order(counts, Shuffle::kShards, 4, 3, 0);
  EXPECT_EQ(order.windows(), 3);
  for (std::int64_t k = 0; k < order.size(); ++k) {
    const auto shards = order.shards_of(order.window_of(k));
    EXPECT_TRUE(std::count(shards.begin(), shards.end(), order.at(k).shard))
        << k;
  }
}

// Where sample 0 .. n-1 lands must not remember where it came from: the rank
// correlation of a random order of n has a standard deviation of 1/sqrt(n-1).
TEST(EpochOrder, MixesWellAcrossEpochs) {
  const Counts counts(64, 32);
  const double n = 64 * 32;
  for (const auto shuffle : {Shuffle::kShards, Shuffle::kFull}) {
    double worst = 0, neighbours = 0;
    for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
      const auto samples =
          sequence(counts, EpochOrder(counts, shuffle, 16, 11, epoch));
      double sum = 0;
      for (std::size_t k = 0; k < samples.size(); ++k) {
        sum += (static_cast<double>(k) - (n - 1) / 2) *
               (static_cast<double>(samples[k]) - (n - 1) / 2);
        if (k > 0 && samples[k] == samples[k - 1] + 1) ++neighbours;
      }
      const double correlation = sum * 12 / (n * (n * n - 1));
      worst = std::max(worst, std::abs(correlation));
    }
    // Whole shards move together, so 64 of them are the sample: 4 sigma.
    EXPECT_LT(worst, shuffle == Shuffle::kFull ? 4 / std::sqrt(n) : 4 / 8.0);
    // A sample is followed by its successor about once an epoch by chance, a
    // window of 512 holds four times as many chances as the whole.
    EXPECT_LT(neighbours / 20, 10);
  }
}

TEST(EpochOrder, UnknownShuffleIsRefused) {
  EXPECT_EQ(parse_shuffle("full"), Shuffle::kFull);
  EXPECT_THROW(parse_shuffle("shard"), ConfigError);
}

}  // namespace
}  // namespace sono
