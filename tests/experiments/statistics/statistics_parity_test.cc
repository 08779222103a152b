// Parity with scipy and statsmodels on tests/parity/fixtures/statistics.json.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "experiments/statistics/agreement.h"
#include "experiments/statistics/holm.h"
#include "experiments/statistics/intervals.h"
#include "experiments/statistics/normal.h"
#include "experiments/statistics/paired_tests.h"
#include "experiments/statistics/student.h"

namespace sono {
namespace {

using Values = std::vector<double>;

nlohmann::json fixture(const char* part) {
  return nlohmann::json::parse(read_file(
      SONO_SOURCE_DIR "/tests/parity/fixtures/statistics.json"))[part];
}

TEST(StatisticsParity, StudentQuantileEqualsScipy) {
  int rows = 0;
  for (const auto& row : fixture("student_quantile")) {
    const double expected = row[2];
    EXPECT_NEAR(student_quantile(row[0], row[1]), expected,
                1e-9 * std::max(1.0, std::abs(expected)))
        << row;
    ++rows;
  }
  EXPECT_EQ(rows, 64);
}

TEST(StatisticsParity, StudentIntervalEqualsScipy) {
  for (const auto& row : fixture("student_interval")) {
    const auto [low, high] =
        student_interval(row["values"].get<Values>(), row["confidence"]);
    EXPECT_NEAR(low, row["interval"][0], 1e-9);
    EXPECT_NEAR(high, row["interval"][1], 1e-9);
  }
}

TEST(StatisticsParity, NormalQuantileEqualsScipy) {
  for (const auto& row : fixture("normal_quantile")) {
    EXPECT_NEAR(normal_quantile(row[0]), row[1], 1e-9) << row;
    EXPECT_NEAR(normal_cdf(row[1]), row[0], 1e-9 * row[0].get<double>());
  }
}

// One image a cluster, one seed.
ClusterTable table_of(const Values& values) {
  return {static_cast<int>(values.size()), 1, values,
          Values(values.size(), 1.0)};
}

// The means over the fixture's resamples.
Values means_of(const nlohmann::json& row) {
  const Values values = row["values"];
  Values means;
  for (const std::vector<int> indices : row["indices"]) {
    std::vector<int> draws(values.size());
    for (int i : indices) ++draws[i];
    means.push_back(
        resampled_mean(table_of(values), draws, std::vector<int>{1}));
  }
  return means;
}

TEST(StatisticsParity, BcaIntervalOfGivenIndicesEqualsScipy) {
  for (const auto& row : fixture("bca")) {
    const Values values = row["values"], means = means_of(row);
    const auto bounds = bca_interval(
        means, mean_of(values), leave_one_out_means(table_of(values)), 0.95);
    ASSERT_TRUE(bounds);
    EXPECT_NEAR(bounds->first, row["interval"][0], 1e-9);
    EXPECT_NEAR(bounds->second, row["interval"][1], 1e-9);
    EXPECT_GT(std::abs(percentile_interval(means, 0.95).first - bounds->first),
              1e-6);
  }
}

TEST(StatisticsParity, SignedRankTestEqualsScipy) {
  std::map<std::string, int> methods;
  for (const auto& row : fixture("wilcoxon")) {
    Values differences = row["differences"];
    const PairedTest found = signed_rank_test(differences);
    EXPECT_NEAR(found.p, row["p"], 1e-9) << differences.size();
    EXPECT_EQ(found.statistic, row["statistic"]);
    ++methods[found.method];
    if (differences.size() < 8) continue;
    for (double& difference : differences) difference += 0.3;
    EXPECT_NE(signed_rank_test(differences).statistic, found.statistic);
  }
  EXPECT_EQ(methods.size(), 3u) << "every way to a p value is met";
}

TEST(StatisticsParity, SignFlipTestEqualsScipy) {
  for (const auto& row : fixture("sign_flip")) {
    const PairedTest found = sign_flip_test(row["differences"].get<Values>());
    EXPECT_NEAR(found.p, row["p"], 1e-9) << row;
    EXPECT_EQ(found.method, "exact");
  }
}

TEST(StatisticsParity, MonteCarloCountsAsScipyDoes) {
  for (const auto& row : fixture("monte_carlo")) {
    const Values resamples = row["resamples"];
    const double observed = row["observed"];
    EXPECT_NEAR(permutation_p(observed, resamples, false), row["p"], 1e-9);
    EXPECT_GT(std::abs(permutation_p(observed, resamples, true) -
                       row["p"].get<double>()),
              1e-6);
  }
}

TEST(StatisticsParity, PairedTTestEqualsScipy) {
  for (const auto& row : fixture("paired_t")) {
    const PairedTest found = paired_t_test(row["differences"].get<Values>());
    EXPECT_NEAR(found.p, row["p"], 1e-9);
    EXPECT_NEAR(found.statistic, row["statistic"], 1e-9);
  }
}

TEST(StatisticsParity, HolmEqualsStatsmodels) {
  for (const auto& row : fixture("holm")) {
    const Values adjusted = holm_adjusted(row["p"].get<Values>());
    const Values expected = row["adjusted"];
    ASSERT_EQ(adjusted.size(), expected.size());
    for (std::size_t i = 0; i < adjusted.size(); ++i) {
      EXPECT_NEAR(adjusted[i], expected[i], 1e-9) << row;
    }
  }
}

TEST(StatisticsParity, LimitsOfAgreementEqualThePublishedFormula) {
  for (const auto& row : fixture("agreement")) {
    std::vector<Observation> observations;
    for (double value : row["differences"]) {
      const std::string image = std::to_string(observations.size());
      observations.push_back({image, "", image, value});
    }
    const Agreement found = bland_altman(observations);
    for (const auto& [name, line] :
         {std::pair("bias", found.bias), std::pair("lower", found.lower),
          std::pair("upper", found.upper)}) {
      EXPECT_NEAR(line.value, row[name][0], 1e-9) << name;
      EXPECT_NEAR(line.interval->low, row[name][1], 1e-9) << name;
      EXPECT_NEAR(line.interval->high, row[name][2], 1e-9) << name;
    }
  }
}

TEST(StatisticsParity, BootstrapOfGivenIndicesEqualsScipy) {
  for (const auto& row : fixture("bootstrap")) {
    const Values means = means_of(row);
    const auto [low, high] = percentile_interval(means, 0.95);
    EXPECT_NEAR(low, row["interval"][0], 1e-9);
    EXPECT_NEAR(high, row["interval"][1], 1e-9);
    EXPECT_GT(std::abs(percentile_interval(means, 0.8).first - low), 1e-6);
  }
}

TEST(Student, RefusesProbabilitiesOutsideTheOpenInterval) {
  EXPECT_THROW(student_quantile(0, 3), Error);
  EXPECT_THROW(student_quantile(1, 3), Error);
  EXPECT_THROW(student_cdf(1, 0), Error);
}

}  // namespace
}  // namespace sono
