// Parity with scipy on tests/parity/fixtures/statistics.json.

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "experiments/statistics/intervals.h"
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

TEST(StatisticsParity, BootstrapOfGivenIndicesEqualsScipy) {
  for (const auto& row : fixture("bootstrap")) {
    const Values values = row["values"];
    const int n = static_cast<int>(values.size());
    const ClusterTable table{n, 1, values, Values(values.size(), 1.0)};
    Values means;
    for (const std::vector<int> indices : row["indices"]) {
      std::vector<int> draws(values.size());
      for (int i : indices) ++draws[i];
      means.push_back(resampled_mean(table, draws, std::vector<int>{1}));
    }
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
