#include "data/ellipse.h"

#include <cmath>
#include <numbers>

#include "tests/data/cohort/fixture.h"

namespace sono {
namespace {

// The arc length by the midpoint rule over the curve's own parameter.
double integrated(const Ellipse& e, double spacing_x, double spacing_y) {
  constexpr int kSteps = 100000;
  const double step = 2 * std::numbers::pi / kSteps;
  const double c = std::cos(e.angle), s = std::sin(e.angle);
  double length = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double t = (i + 0.5) * step;
    const double u = -e.semi_major * std::sin(t);
    const double v = e.semi_minor * std::cos(t);
    length +=
        std::hypot((c * u - s * v) * spacing_x, (s * u + c * v) * spacing_y);
  }
  return length * step;
}

TEST(Ellipse, CircumferenceMatchesTheIntegral) {
  for (double ratio : {0.2, 0.5, 0.7, 0.9, 1.0}) {
    const Ellipse e{10, 20, 100, 100 * ratio, 0.7};
    const double exact = integrated(e, 1, 1);
    EXPECT_NEAR(circumference(e) / exact, 1, 1e-5) << ratio;
    EXPECT_NEAR(circumference_mm(e, 0.1, 0.17) / integrated(e, 0.1, 0.17), 1,
                2e-5)
        << ratio;
  }
}

TEST(Ellipse, ScalingTurnsTheAxesCorrectly) {
  const Ellipse e = scaled({5, 7, 10, 4, 0.5}, 2, 2);
  EXPECT_NEAR(e.semi_major, 20, 1e-9);
  EXPECT_NEAR(e.semi_minor, 8, 1e-9);
  EXPECT_NEAR(e.angle, 0.5, 1e-9);
  const Ellipse tall = scaled({5, 7, 10, 4, 0}, 0.1, 1);
  EXPECT_NEAR(tall.semi_major, 4, 1e-9);
  EXPECT_NEAR(tall.angle, std::numbers::pi / 2, 1e-9);
}

TEST(Ellipse, RenderedAndFittedAgain) {
  for (double angle : {0.0, 0.4, 1.2, 2.0, 3.0}) {
    const Ellipse e{200.3, 150.6, 120, 85, angle};
    const cv::Mat mask = render_filled(e, {400, 300});
    const double area = std::numbers::pi * 120 * 85;
    EXPECT_NEAR(cv::countNonZero(mask) / area, 1, 1e-3);
    const auto fitted = fit_ellipse(mask);
    ASSERT_TRUE(fitted);
    EXPECT_NEAR(fitted->center_x, e.center_x, 0.1);
    EXPECT_NEAR(fitted->center_y, e.center_y, 0.1);
    // Boundary pixels' centres lie inside the edge by up to half a pixel.
    EXPECT_GT(fitted->semi_major, 119.4);
    EXPECT_LT(fitted->semi_major, 120.0);
    EXPECT_GT(fitted->semi_minor, 84.4);
    EXPECT_LT(fitted->semi_minor, 85.0);
    EXPECT_NEAR(std::remainder(fitted->angle - angle, std::numbers::pi), 0,
                0.005);
  }
}

TEST(Ellipse, BoundingBoxTouchesTheRendering) {
  const Ellipse e = test_head();
  const Box box = bounding_box(e);
  cv::Mat points;
  const cv::Mat mask = render_filled(e, test_size());
  int x0 = 1000, x1 = 0, y0 = 1000, y1 = 0;
  for (int y = 0; y < mask.rows; ++y) {
    for (int x = 0; x < mask.cols; ++x) {
      if (mask.at<unsigned char>(y, x) == 0) continue;
      x0 = std::min(x0, x), x1 = std::max(x1, x);
      y0 = std::min(y0, y), y1 = std::max(y1, y);
    }
  }
  EXPECT_NEAR(box.x0, x0, 1);
  EXPECT_NEAR(box.x1, x1, 1);
  EXPECT_NEAR(box.y0, y0, 1);
  EXPECT_NEAR(box.y1, y1, 1);
}

TEST(Ellipse, RenderingIsClippedToTheFrame) {
  EXPECT_EQ(cv::countNonZero(render_filled({1e12, 1e12, 5, 4, 0}, {20, 10})),
            0);
  EXPECT_EQ(cv::countNonZero(render_filled({5, 5, 1e9, 1e9, 0}, {20, 10})),
            200);
  EXPECT_EQ(cv::countNonZero(render_filled({5, 5, 0, 0, 0}, {20, 10})), 0);
}

TEST(Ellipse, NothingToFit) {
  EXPECT_FALSE(fit_ellipse(cv::Mat()));
  EXPECT_FALSE(fit_ellipse(cv::Mat::zeros(50, 50, CV_8UC1)));
  cv::Mat line = cv::Mat::zeros(50, 50, CV_8UC1);
  line.row(20).setTo(255);
  EXPECT_FALSE(fit_ellipse(line));
}

}  // namespace
}  // namespace sono
