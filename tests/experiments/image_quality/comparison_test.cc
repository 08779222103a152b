// Intervals, subsets, halves: what comparisons of sets must do.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "core/error.h"
#include "core/random.h"
#include "experiments/image_quality/image_quality.h"

namespace sono {
namespace {

at::Tensor normal(std::int64_t rows, std::int64_t width, std::uint64_t seed,
                  double shift = 0) {
  at::Tensor values = at::empty({rows, width}, at::kFloat);
  Random(make_key("test.features", seed))
      .fill_normal(values.data_ptr<float>(),
                   static_cast<std::size_t>(values.numel()));
  return values + shift;
}

std::vector<std::string> exams(std::int64_t rows, std::int64_t images_each) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < rows; ++i) {
    names.push_back("exam" + std::to_string(i / images_each));
  }
  return names;
}

// The jackknife leaves out one exam at a time; here it is done by hand.
TEST(KernelInterval, IsTheJackknifeByExam) {
  const at::Tensor x = normal(12, 6, 1), y = normal(9, 6, 2, 0.4);
  const auto names = exams(12, 2);
  const auto squares = [](const std::vector<double>& values) {
    double mean = 0, sum = 0;
    const auto g = static_cast<double>(values.size());
    for (const double v : values) mean += v / g;
    for (const double v : values) sum += (v - mean) * (v - mean);
    return sum * (g - 1) / g;
  };
  const auto without = [](const at::Tensor& rows, std::int64_t first,
                          std::int64_t count) {
    return at::cat({rows.slice(0, 0, first), rows.slice(0, first + count)});
  };
  std::vector<double> by_exam, by_image;
  for (std::int64_t e = 0; e < 6; ++e) {
    by_exam.push_back(kernel_distance(without(x, 2 * e, 2), y));
  }
  for (std::int64_t i = 0; i < 9; ++i) {
    by_image.push_back(kernel_distance(x, without(y, i, 1)));
  }
  const double t_five_degrees = 2.5705818366147395;
  const double reach =
      t_five_degrees * std::sqrt(squares(by_exam) + squares(by_image));
  const KernelEstimate estimate = kernel_distance_interval(x, names, y);
  EXPECT_NEAR(estimate.value, kernel_distance(x, y), 1e-12);
  // Student's quantile is good to 1e-9 of itself.
  EXPECT_NEAR(estimate.high - estimate.value, reach, 1e-9 * reach);
  EXPECT_NEAR(estimate.value - estimate.low, reach, 1e-9 * reach);
}

// Over many draws of like sets the interval should hold 0 about as often as it
// says, or more often: a jackknife of a degenerate statistic is cautious.
TEST(KernelInterval, HoldsZeroForLikeSets) {
  int held = 0;
  constexpr std::uint64_t kDraws = 60;
  for (std::uint64_t k = 0; k < kDraws; ++k) {
    const auto e = kernel_distance_interval(normal(40, 8, 2 * k), exams(40, 1),
                                            normal(40, 8, 2 * k + 1));
    held += e.low <= 0 && e.high >= 0;
  }
  EXPECT_GE(held, 55);
  const auto apart = kernel_distance_interval(normal(40, 8, 1), exams(40, 1),
                                              normal(40, 8, 2, 0.7));
  EXPECT_GT(apart.low, 0);
}

TEST(KernelInterval, RefusesTooFewExams) {
  EXPECT_THROW(
      kernel_distance_interval(normal(8, 4, 1), exams(8, 4), normal(8, 4, 2)),
      DataError);
}

TEST(Subsets, FollowTheSeedAndRepeatNoImage) {
  const auto one = draw_subsets(30, 20, 10, 3, 7);
  const auto two = draw_subsets(30, 20, 10, 3, 7);
  const auto other = draw_subsets(30, 20, 10, 3, 8);
  ASSERT_EQ(one.size(), 3u);
  for (std::size_t k = 0; k < one.size(); ++k) {
    EXPECT_TRUE(at::equal(one[k].first, two[k].first));
    EXPECT_TRUE(at::equal(one[k].second, two[k].second));
    EXPECT_EQ(std::get<0>(at::_unique(one[k].second)).numel(), 10);
    EXPECT_LT(one[k].second.max().item<std::int64_t>(), 20);
  }
  EXPECT_FALSE(at::equal(one[0].first, other[0].first));
  EXPECT_FALSE(at::equal(one[0].first, one[1].first));
}

TEST(CompareSets, LeavesOutWhatFewImagesCannotTell) {
  const QualityConfig config;
  const auto row =
      compare_sets(normal(4, 32, 1), exams(4, 1), normal(3, 32, 2), config);
  EXPECT_TRUE(row["fid"].is_null());
  EXPECT_TRUE(row["precision"].is_null());
  EXPECT_TRUE(row["kid"].is_number());
  EXPECT_TRUE(compare_halves(normal(4, 32, 1), exams(4, 1), config).is_null());
  const auto rich =
      compare_sets(normal(60, 8, 1), exams(60, 2), normal(50, 8, 2), config);
  EXPECT_TRUE(rich["fid"].is_number());
  EXPECT_TRUE(rich["coverage"].is_number());
  EXPECT_EQ(rich["subset_size"], 25);
}

TEST(CompareSets, RefusesFeaturesThatAreNotFinite) {
  at::Tensor bad = normal(10, 4, 1);
  bad[3][2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(compare_sets(bad, exams(10, 1), normal(10, 4, 2), {}),
               DataError);
}

TEST(QualityText, FitsATerminal) {
  const auto row =
      compare_sets(normal(60, 8, 1), exams(60, 2), normal(50, 8, 2), {});
  const nlohmann::json spaces = {
      {"a-space-with-a-long-name", {{"synthetic", row}, {"halves", row}}}};
  std::stringstream text(quality_text(spaces, nullptr));
  for (std::string line; std::getline(text, line);) {
    EXPECT_LE(line.size(), 110u) << line;
  }
}

}  // namespace
}  // namespace sono
