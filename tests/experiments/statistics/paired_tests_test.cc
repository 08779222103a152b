#include "experiments/statistics/paired_tests.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "experiments/statistics/agreement.h"
#include "experiments/statistics/holm.h"
#include "experiments/statistics/intervals.h"

namespace sono {
namespace {

using Values = std::vector<double>;

Values shifted_normals(int count, double shift, int sample) {
  Random random(make_key("test.paired", 5, sample));
  Values values;
  for (int i = 0; i < count; ++i) values.push_back(shift + random.normal());
  return values;
}

TEST(PairedTests, OfNoDifferenceAtAllShowNothing) {
  const Values zeros(12, 0.0);
  EXPECT_EQ(paired_t_test(zeros).p, 1);
  EXPECT_EQ(signed_rank_test(zeros).p, 1);
  EXPECT_EQ(sign_flip_test(zeros).p, 1);
}

TEST(PairedTests, OfOneDifferenceShowNothing) {
  EXPECT_EQ(paired_t_test(Values{0.5}).p, 1);
  EXPECT_EQ(signed_rank_test(Values{0.5}).p, 1);
  EXPECT_EQ(sign_flip_test(Values{0.5}).p, 1);
}

TEST(PairedTests, NeedADifference) {
  EXPECT_THROW(paired_t_test({}), Error);
  EXPECT_THROW(sign_flip_test({}), Error);
}

TEST(SignFlip, OfEqualDifferencesIsTheRarestPattern) {
  EXPECT_DOUBLE_EQ(sign_flip_test(Values(10, 0.25)).p, 2.0 / 1024);
}

TEST(SignFlip, MonteCarloComesNearTheExactAnswer) {
  const Values values = shifted_normals(16, 0.5, 1);
  SignFlipOptions options;
  const double exact = sign_flip_test(values, options).p;
  options.max_exact = 0;
  const PairedTest drawn = sign_flip_test(values, options);
  EXPECT_EQ(drawn.method, "Monte Carlo");
  EXPECT_NEAR(drawn.p, exact, 0.004);
  EXPECT_NE(drawn.p, exact);
  EXPECT_EQ(sign_flip_test(values, options).p, drawn.p) << "a fixed seed";
}

TEST(SignFlip, DrawsASignForEveryDifference) {
  // Only the last two of 70 differences are not zero.
  Values values(70, 0.0);
  values[68] = values[69] = 1;
  EXPECT_NEAR(sign_flip_test(values).p, 0.5, 0.01);
}

TEST(SignFlip, RejectsATrueHypothesisAsOftenAsItSays) {
  int rejected = 0;
  for (int i = 0; i < 400; ++i) {
    rejected += sign_flip_test(shifted_normals(12, 0, 100 + i)).p <= 0.05;
  }
  EXPECT_GT(rejected, 8);
  EXPECT_LT(rejected, 35);
}

TEST(Holm, OfNothingIsNothing) { EXPECT_TRUE(holm_adjusted({}).empty()); }

std::vector<Observation> with_sd_two(int clusters, int seeds) {
  std::vector<Observation> rows;
  Random random(make_key("test.agreement", 5, clusters));
  for (int c = 0; c < clusters; ++c) {
    for (int s = 0; s < seeds; ++s) {
      const std::string exam = std::to_string(c);
      rows.push_back({exam, std::to_string(s), exam, 1 + 2 * random.normal()});
    }
  }
  return rows;
}

TEST(Agreement, HoldsBetweenItsLimits) {
  const auto rows = with_sd_two(400, 2);
  const Agreement found = bland_altman(rows);
  EXPECT_NEAR(found.bias.value, 1, 0.2);
  EXPECT_NEAR(found.upper.value, 1 + 2 * 1.96, 0.3);
  EXPECT_NEAR(found.lower.value, 1 - 2 * 1.96, 0.3);
  int inside = 0;
  for (const Observation& o : rows) {
    inside += found.lower.value <= o.value && o.value <= found.upper.value;
  }
  EXPECT_NEAR(inside, 0.95 * 800, 16);
}

TEST(Agreement, BootstrapComesNearTheFormula) {
  const auto rows = with_sd_two(60, 1);
  IntervalOptions formula;
  formula.min_clusters = 1000;
  const Agreement drawn = bland_altman(rows);
  const Agreement computed = bland_altman(rows, formula);
  EXPECT_EQ(drawn.upper.interval->method, "bootstrap");
  EXPECT_EQ(computed.upper.interval->method, "t");
  EXPECT_EQ(drawn.upper.value, computed.upper.value);
  EXPECT_NEAR(drawn.upper.interval->low, computed.upper.interval->low, 0.25);
  EXPECT_NEAR(drawn.lower.interval->high, computed.lower.interval->high, 0.25);
}

TEST(Agreement, OfOneExamHasNoIntervals) {
  const Agreement found = bland_altman(with_sd_two(1, 3));
  EXPECT_FALSE(found.bias.interval || found.lower.interval);
  EXPECT_GT(found.upper.value, found.lower.value);
}

TEST(Bca, LeansWhereTheDataDo) {
  // One far value on the right draws the interval to the right.
  Values values(40, 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = 0.01 * static_cast<double>(i % 5);
  }
  values[7] = 3;
  const ClusterTable table{40, 1, values, Values(40, 1.0)};
  const Values means = bootstrap_means(table, 2000, 0);
  const auto bca =
      bca_interval(means, mean_of(values), leave_one_out_means(table), 0.95);
  const auto plain = percentile_interval(means, 0.95);
  ASSERT_TRUE(bca);
  EXPECT_GT(bca->second, plain.second);
  EXPECT_GT(bca->first, plain.first);
}

TEST(Bca, DoesNotExistWithoutSpread) {
  EXPECT_FALSE(bca_interval({1, 1, 1}, 1, Values{1, 1, 1}, 0.95));
  EXPECT_FALSE(bca_interval({1, 2, 3}, 0, Values{0, 1, 2}, 0.95));
}

}  // namespace
}  // namespace sono
