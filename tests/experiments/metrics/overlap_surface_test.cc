#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/random.h"
#include "experiments/metrics/outline.h"
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

// The distances from every pixel of a frame around the points, against the
// exhaustive search.
void expect_nearest(const cv::Mat& points, PixelSpacing spacing) {
  Outline to, from;
  for (int y = 0; y < points.rows; ++y) {
    for (int x = 0; x < points.cols; ++x) {
      from.points.emplace_back(x, y);
      if (points.at<uchar>(y, x)) to.points.emplace_back(x, y);
    }
  }
  const auto found = nearest_distances(from, to, spacing);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const cv::Point at = from.points[i];
    const double expected = nearest_squared(points, at.y, at.x, spacing);
    ASSERT_NEAR(found[i] * found[i], expected, 1e-12 * (1 + expected));
  }
}

TEST(NearestDistances, EqualTheExhaustiveSearch) {
  for (int sample = 0; sample < 20; ++sample) {
    const double density = sample % 2 == 0 ? 0.02 : 0.004;
    expect_nearest(random_points(17 + sample, 41 - sample, density, sample),
                   {});
  }
}

TEST(NearestDistances, HoldForUnequalSpacing) {
  expect_nearest(random_points(40, 23, 0.01, 99), {0.31, 1.7});
  expect_nearest(random_points(23, 40, 0.01, 98), {1.7, 0.31});
}

TEST(NearestDistances, HoldForPointsAboveAndBelowAllOthers) {
  cv::Mat points = blank(60, 20);
  points.at<uchar>(29, 3) = points.at<uchar>(31, 18) = 1;
  expect_nearest(points, {});
}

TEST(NearestDistances, NeedAPointToMeasureTo) {
  EXPECT_THROW(nearest_distances({{{0, 0}}, {1}}, {}, {}), Error);
}

TEST(EdgePixels, OfAMaskThatFillsTheImageAreTheImagesBorder) {
  EXPECT_EQ(edge_pixels(with_box(6, 7, {0, 0, 7, 6})).points.size(),
            2u * 7 + 2 * 4);
  EXPECT_TRUE(edge_pixels(blank(6, 7)).points.empty());
}

TEST(CornerContour, OfABoxHasItsPerimeterLessTheCutCorners) {
  const Outline contour =
      corner_contour(with_box(20, 20, {0, 3, 10, 6}), {0.5, 2});
  double length = 0;
  for (double weight : contour.weights) length += weight;
  EXPECT_EQ(contour.points.size(), 2u * 10 + 2 * 6);
  EXPECT_EQ(contour.points.front(), cv::Point(0, 3));
  // Nine corners along x a side and five along y, and four at the ends.
  EXPECT_NEAR(length, 2 * 9 * 0.5 + 2 * 5 * 2 + 4 * 0.5 * std::hypot(0.5, 2),
              1e-12);
}

constexpr SurfaceConvention kAllConventions[] = {SurfaceConvention::kMonai,
                                                 SurfaceConvention::kMedpy,
                                                 SurfaceConvention::kDeepMind};

TEST(Surface, OfOnePixelEachIsTheDistanceBetweenThem) {
  const cv::Mat a = with_box(30, 40, {3, 4, 1, 1});
  const cv::Mat b = with_box(30, 40, {6, 8, 1, 1});
  const auto px = measure_surface(a, b);
  ASSERT_TRUE(px);
  EXPECT_DOUBLE_EQ(px->hd(), 5);
  EXPECT_DOUBLE_EQ(px->hd95(), 5);
  EXPECT_DOUBLE_EQ(px->assd(), 5);
  EXPECT_EQ(px->nsd(4.9), 0);
  EXPECT_EQ(px->nsd(5), 1);
  const auto mm = measure_surface(a, b, {2.0, 0.5});
  EXPECT_DOUBLE_EQ(mm->hd(), std::hypot(3 * 2.0, 4 * 0.5));
}

TEST(Surface, OfEqualMasksIsZero) {
  const cv::Mat mask = with_box(30, 40, {3, 4, 20, 10});
  for (const SurfaceConvention convention : kAllConventions) {
    const auto found = measure_surface(mask, mask, {}, convention);
    EXPECT_EQ(found->hd(), 0);
    EXPECT_EQ(found->assd(), 0);
    EXPECT_EQ(found->nsd(0), 1);
  }
}

TEST(Surface, WithAnEmptyMaskIsNothing) {
  const cv::Mat mask = with_box(8, 8, {1, 1, 2, 2});
  for (const SurfaceConvention convention : kAllConventions) {
    EXPECT_FALSE(measure_surface(mask, blank(8, 8), {}, convention));
    EXPECT_FALSE(measure_surface(blank(8, 8), mask, {}, convention));
    EXPECT_FALSE(measure_surface(blank(8, 8), blank(8, 8), {}, convention));
  }
}

TEST(Surface, IsTheSameAfterPaddingTheImage) {
  cv::Mat a = with_box(20, 20, {0, 2, 9, 15}),
          b = with_box(20, 20, {4, 0, 16, 20});
  cv::Mat wide_a = blank(90, 70), wide_b = blank(90, 70);
  a.copyTo(wide_a({30, 40, 20, 20}));
  b.copyTo(wide_b({30, 40, 20, 20}));
  for (const SurfaceConvention convention : kAllConventions) {
    const auto tight = measure_surface(a, b, {}, convention);
    const auto wide = measure_surface(wide_a, wide_b, {}, convention);
    EXPECT_EQ(tight->hd95(), wide->hd95());
    EXPECT_EQ(tight->assd(), wide->assd());
    EXPECT_EQ(tight->nsd(2), wide->nsd(2));
  }
}

TEST(Surface, ConventionsHaveNames) {
  EXPECT_EQ(surface_convention("deepmind"), SurfaceConvention::kDeepMind);
  EXPECT_EQ(surface_convention_names().size(), 3u);
  EXPECT_THROW(surface_convention("scipy"), Error);
}

}  // namespace
}  // namespace sono
