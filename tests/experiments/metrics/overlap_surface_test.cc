#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/random.h"
#include "experiments/metrics/overlap.h"
#include "experiments/metrics/surface.h"

namespace sono {
namespace {

cv::Mat blank(int height, int width) {
  return cv::Mat::zeros(height, width, CV_8UC1);
}

cv::Mat with_box(int height, int width, cv::Rect box) {
  cv::Mat mask = blank(height, width);
  mask(box).setTo(255);
  return mask;
}

cv::Mat random_points(int height, int width, double density, int sample) {
  Random random(make_key("test.points", 1, sample));
  cv::Mat points = blank(height, width);
  for (int i = 0; i < height * width; ++i) {
    if (random.uniform() < density) points.at<uchar>(i / width, i % width) = 1;
  }
  return points;
}

double nearest_squared(const cv::Mat& points, int y, int x,
                       PixelSpacing spacing) {
  double best = std::numeric_limits<double>::infinity();
  for (int v = 0; v < points.rows; ++v) {
    for (int u = 0; u < points.cols; ++u) {
      if (!points.at<uchar>(v, u)) continue;
      const double dx = (x - u) * spacing.x, dy = (y - v) * spacing.y;
      best = std::min(best, dx * dx + dy * dy);
    }
  }
  return best;
}

TEST(Overlap, OfAMaskWithItselfIsOne) {
  const cv::Mat mask = with_box(9, 11, {2, 3, 4, 5});
  EXPECT_EQ(measure_overlap(mask, mask).dice, 1);
  EXPECT_EQ(measure_overlap(mask, mask).iou, 1);
}

TEST(Overlap, OfHalvesIsAsCountedByHand) {
  const auto overlap = measure_overlap(with_box(8, 8, {0, 0, 4, 4}),
                                       with_box(8, 8, {2, 0, 4, 4}));
  EXPECT_DOUBLE_EQ(overlap.dice, 0.5);
  EXPECT_DOUBLE_EQ(overlap.iou, 1.0 / 3);
}

TEST(Overlap, OfEmptyMasksFollowsTheDocumentedConvention) {
  const cv::Mat mask = with_box(8, 8, {1, 1, 2, 2});
  EXPECT_EQ(measure_overlap(blank(8, 8), blank(8, 8)).dice, 1);
  EXPECT_EQ(measure_overlap(blank(8, 8), mask).dice, 0);
  EXPECT_EQ(measure_overlap(mask, blank(8, 8)).iou, 0);
}

TEST(Overlap, RefusesMasksOfDifferentSizeOrType) {
  EXPECT_THROW(measure_overlap(blank(8, 8), blank(8, 9)), Error);
  EXPECT_THROW(measure_overlap(blank(8, 8), cv::Mat::zeros(8, 8, CV_32FC1)),
               Error);
  EXPECT_THROW(measure_overlap(cv::Mat(), cv::Mat()), Error);
}

TEST(DistanceTransform, EqualsTheExhaustiveSearchExactly) {
  for (int sample = 0; sample < 20; ++sample) {
    const cv::Mat points =
        random_points(17 + sample, 31 - sample, 0.02, sample);
    const cv::Mat found = squared_distances(points, {});
    for (int y = 0; y < points.rows; ++y) {
      for (int x = 0; x < points.cols; ++x) {
        ASSERT_EQ(found.at<double>(y, x), nearest_squared(points, y, x, {}));
      }
    }
  }
}

TEST(DistanceTransform, HoldsForUnequalSpacing) {
  const PixelSpacing spacing{0.31, 1.7};
  const cv::Mat points = random_points(40, 23, 0.01, 99);
  const cv::Mat found = squared_distances(points, spacing);
  for (int y = 0; y < points.rows; ++y) {
    for (int x = 0; x < points.cols; ++x) {
      const double expected = nearest_squared(points, y, x, spacing);
      ASSERT_NEAR(found.at<double>(y, x), expected, 1e-12 * (1 + expected));
    }
  }
}

TEST(DistanceTransform, WithoutPointsIsInfinite) {
  const cv::Mat found = squared_distances(blank(3, 4), {});
  EXPECT_EQ(cv::countNonZero(found == std::numeric_limits<double>::infinity()),
            12);
}

TEST(Surface, OfOnePixelEachIsTheDistanceBetweenThem) {
  const cv::Mat a = with_box(30, 40, {3, 4, 1, 1});
  const cv::Mat b = with_box(30, 40, {6, 8, 1, 1});
  const auto px = measure_surface(a, b);
  ASSERT_TRUE(px);
  EXPECT_DOUBLE_EQ(px->hd, 5);
  EXPECT_DOUBLE_EQ(px->hd95, 5);
  EXPECT_DOUBLE_EQ(px->assd, 5);
  const auto mm = measure_surface(a, b, {2.0, 0.5});
  EXPECT_DOUBLE_EQ(mm->hd, std::hypot(3 * 2.0, 4 * 0.5));
}

TEST(Surface, OfEqualMasksIsZero) {
  const cv::Mat mask = with_box(30, 40, {3, 4, 20, 10});
  EXPECT_EQ(measure_surface(mask, mask)->hd, 0);
  EXPECT_EQ(measure_surface(mask, mask)->assd, 0);
}

TEST(Surface, WithAnEmptyMaskIsNothing) {
  const cv::Mat mask = with_box(8, 8, {1, 1, 2, 2});
  EXPECT_FALSE(measure_surface(mask, blank(8, 8)));
  EXPECT_FALSE(measure_surface(blank(8, 8), mask));
  EXPECT_FALSE(measure_surface(blank(8, 8), blank(8, 8)));
}

TEST(Surface, OfAMaskThatFillsTheImageIsTheImagesBorder) {
  const cv::Mat surface = mask_surface(with_box(6, 7, {0, 0, 7, 6}));
  EXPECT_EQ(cv::countNonZero(surface), 2 * 7 + 2 * 4);
}

TEST(Surface, IsTheSameAfterPaddingTheImage) {
  cv::Mat a = with_box(20, 20, {0, 2, 9, 15}),
          b = with_box(20, 20, {4, 0, 16, 20});
  cv::Mat wide_a = blank(90, 70), wide_b = blank(90, 70);
  a.copyTo(wide_a({30, 40, 20, 20}));
  b.copyTo(wide_b({30, 40, 20, 20}));
  EXPECT_EQ(measure_surface(a, b)->hd95, measure_surface(wide_a, wide_b)->hd95);
  EXPECT_EQ(measure_surface(a, b)->assd, measure_surface(wide_a, wide_b)->assd);
}

}  // namespace
}  // namespace sono
