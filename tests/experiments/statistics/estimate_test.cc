#include "experiments/statistics/estimate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "experiments/statistics/intervals.h"
#include "experiments/statistics/paired.h"
#include "experiments/statistics/percentile.h"

namespace sono {
namespace {

// Images of `num_clusters` exams under `num_seeds` seeds; spreads of exams,
// seeds and images around 0.
std::vector<Observation> simulate(int num_clusters, int num_seeds, int sample,
                                  double exam_sd = 1, double seed_sd = 1) {
  Random random(make_key("test.estimate", 3, sample));
  std::vector<double> seed_effects;
  for (int s = 0; s < num_seeds; ++s) {
    seed_effects.push_back(seed_sd * random.normal());
  }
  std::vector<Observation> rows;
  for (int c = 0; c < num_clusters; ++c) {
    const double exam_effect = exam_sd * random.normal();
    for (int i = 0; i <= c % 2; ++i) {
      for (int s = 0; s < num_seeds; ++s) {
        const std::string exam = std::to_string(c);
        rows.push_back({exam, std::to_string(s), exam + "_" + std::to_string(i),
                        exam_effect + seed_effects[s] + 0.3 * random.normal()});
      }
    }
  }
  return rows;
}

double width(const Estimate& estimate) {
  return estimate.interval->high - estimate.interval->low;
}

TEST(Estimate, OfOneObservationHasNoInterval) {
  const Estimate estimate = estimate_mean({{{"exam", "", "image", 0.5}}});
  EXPECT_EQ(estimate.mean, 0.5);
  EXPECT_EQ(estimate.sd, 0);
  EXPECT_FALSE(estimate.interval);
}

TEST(Estimate, NeedsObservations) { EXPECT_THROW(estimate_mean({}), Error); }

TEST(Estimate, OfFewExamsIsTheTIntervalOfTheirMeans) {
  const Estimate estimate = estimate_mean(
      {{{"a", "", "1", 1}, {"a", "", "2", 3}, {"b", "", "3", 5}}});
  EXPECT_EQ(estimate.mean, 3);
  EXPECT_EQ(estimate.cluster_mean, 3.5);
  EXPECT_EQ(estimate.num_clusters, 2);
  EXPECT_EQ(estimate.interval->method, "t");
  // Means 2 and 5: half width t(0.975, 1) * 3 / 2.
  EXPECT_NEAR(estimate.interval->high, 3.5 + 12.706204736432095 * 1.5, 1e-9);
}

TEST(Estimate, ChangesMethodAtThirtyExams) {
  EXPECT_EQ(estimate_mean(simulate(29, 1, 0)).interval->method, "t");
  EXPECT_EQ(estimate_mean(simulate(30, 1, 0)).interval->method,
            "BCa bootstrap");
  EXPECT_EQ(estimate_mean(simulate(30, 3, 0)).interval->method,
            "crossed bootstrap");
}

TEST(Estimate, IsTheSameInAnyOrder) {
  std::vector<Observation> rows = simulate(40, 3, 1);
  const Estimate forward = estimate_mean(rows);
  std::ranges::reverse(rows);
  const Estimate backward = estimate_mean(rows);
  EXPECT_EQ(forward.mean, backward.mean);
  EXPECT_EQ(forward.sd, backward.sd);
  EXPECT_EQ(forward.interval->low, backward.interval->low);
  EXPECT_EQ(forward.interval->high, backward.interval->high);
}

TEST(Estimate, OfOneExamRepeatedIsNotMoreCertain) {
  std::vector<Observation> once = simulate(40, 1, 2), thrice;
  for (const Observation& o : once) {
    for (int i = 0; i < 3; ++i) {
      thrice.push_back(
          {o.cluster, o.seed, o.image + std::to_string(i), o.value});
    }
  }
  EXPECT_NEAR(width(estimate_mean(thrice)), width(estimate_mean(once)), 1e-9);
}

TEST(Estimate, CountsTheSpreadBetweenSeeds) {
  const double without = width(estimate_mean(simulate(60, 5, 3, 0.1, 0)));
  const double with = width(estimate_mean(simulate(60, 5, 3, 0.1, 1)));
  EXPECT_GT(with, 5 * without);
}

TEST(Estimate, CoversTheTruthAboutAsOftenAsItSays) {
  int covered = 0;
  constexpr int kRepeats = 300;
  IntervalOptions options;
  options.num_resamples = 400;
  for (int i = 0; i < kRepeats; ++i) {
    const auto estimate =
        estimate_mean(simulate(50, 1, 1000 + i, 1, 0), options);
    covered += estimate.interval->low <= 0 && 0 <= estimate.interval->high;
  }
  EXPECT_GT(covered, 0.90 * kRepeats);
  EXPECT_LT(covered, 0.99 * kRepeats);
}

TEST(Bootstrap, OfASparseTableNeverLeavesAGap) {
  // Two clusters, each seen under another seed: half of the resamples hold no
  // observation and are drawn again.
  const ClusterTable table{2, 2, {1, 0, 0, 3}, {1, 0, 0, 1}};
  for (double mean : bootstrap_means(table, 200, 0)) {
    EXPECT_TRUE(mean >= 1 && mean <= 3);
  }
}

TEST(Paired, SubtractsWithinImageAndSeed) {
  const std::vector<Observation> treatment{
      {"a", "0", "1", 0.9}, {"a", "1", "1", 0.7}, {"b", "0", "2", 0.5}};
  const std::vector<Observation> control{
      {"a", "1", "1", 0.6}, {"a", "0", "1", 0.5}, {"c", "0", "3", 0.1}};
  const auto pairs = pair_observations(treatment, control);
  ASSERT_EQ(pairs.differences.size(), 2u);
  EXPECT_DOUBLE_EQ(pairs.differences[0].value, 0.4);
  EXPECT_DOUBLE_EQ(pairs.differences[1].value, 0.1);
  EXPECT_EQ(pairs.num_unpaired, 2);
}

TEST(Paired, RefusesTwoObservationsOfOneImage) {
  const std::vector<Observation> twice{{"a", "0", "1", 1}, {"a", "0", "1", 2}};
  EXPECT_THROW(pair_observations(twice, twice), Error);
}

TEST(Percentile, InterpolatesLinearly) {
  std::vector<double> values{4, 1, 3, 2};
  EXPECT_DOUBLE_EQ(percentile(values, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(percentile(values, 0.95), 3.85);
  EXPECT_DOUBLE_EQ(percentile(values, 0), 1);
  EXPECT_DOUBLE_EQ(percentile(values, 1), 4);
  std::vector<double> none;
  EXPECT_THROW(percentile(none, 0.5), Error);
}

}  // namespace
}  // namespace sono
