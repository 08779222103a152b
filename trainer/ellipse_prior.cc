#include "trainer/ellipse_prior.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/check.h"

namespace sono {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr int kDraws = 100;
constexpr double kMarginPx = 1;
// Standard deviations of the jitter, in the order of EllipsePrior::Point.
constexpr std::array<double, 5> kJitter{0.02, 0.02, 0.05, 0.05, 5 * kPi / 180};

// Axes have no direction: average the doubled angles.
double mean_axis_angle(const std::vector<Ellipse>& ellipses) {
  double c = 0, s = 0;
  for (const Ellipse& e : ellipses) {
    c += std::cos(2 * e.angle);
    s += std::sin(2 * e.angle);
  }
  return std::atan2(s, c) / 2;
}

bool inside(const Ellipse& ellipse, cv::Size size) {
  const Box box = bounding_box(ellipse);
  return box.x0 >= kMarginPx && box.y0 >= kMarginPx &&
         box.x1 <= size.width - 1 - kMarginPx &&
         box.y1 <= size.height - 1 - kMarginPx;
}

Ellipse moved_inside(Ellipse e, cv::Size size) {
  const double room_x = size.width - 1 - 2 * kMarginPx;
  const double room_y = size.height - 1 - 2 * kMarginPx;
  Box box = bounding_box(e);
  const double shrink =
      std::min({1.0, room_x / (box.x1 - box.x0), room_y / (box.y1 - box.y0)});
  e.semi_major *= shrink;
  e.semi_minor *= shrink;
  box = bounding_box(e);
  const double half_x = (box.x1 - box.x0) / 2, half_y = (box.y1 - box.y0) / 2;
  const auto placed = [](double center, double half, double last) {
    const double low = kMarginPx + half, high = last - kMarginPx - half;
    return std::min(std::max(center, low), std::max(low, high));
  };
  e.center_x = placed(e.center_x, half_x, size.width - 1);
  e.center_y = placed(e.center_y, half_y, size.height - 1);
  return e;
}

}  // namespace

EllipsePrior::EllipsePrior(const std::vector<Ellipse>& ellipses,
                           cv::Size size) {
  if (ellipses.empty()) {
    throw DataError(
        "no outline to learn head shapes from: none of the "
        "training masks has an ellipse");
  }
  mean_angle_ = mean_axis_angle(ellipses);
  std::vector<Point> points;
  for (const Ellipse& e : ellipses) points.push_back(describe(e, size));
  const auto count = static_cast<double>(points.size());
  for (const Point& p : points) {
    for (int i = 0; i < kDimensions; ++i) mean_[i] += p[i] / count;
  }
  for (int i = 0; i < kDimensions; ++i) {
    for (int j = 0; j <= i; ++j) {
      double value = i == j ? kJitter[i] * kJitter[i] : 0;
      for (const Point& p : points) {
        value +=
            (p[i] - mean_[i]) * (p[j] - mean_[j]) / std::max(1.0, count - 1);
      }
      for (int k = 0; k < j; ++k) value -= factor_[i][k] * factor_[j][k];
      factor_[i][j] = i == j ? std::sqrt(value) : value / factor_[j][j];
    }
  }
}

EllipsePrior::Point EllipsePrior::describe(const Ellipse& e,
                                           cv::Size size) const {
  return {e.center_x / size.width, e.center_y / size.height,
          std::log(e.semi_major / size.width),
          std::log(e.semi_minor / e.semi_major),
          std::remainder(e.angle - mean_angle_, kPi)};
}

Ellipse EllipsePrior::draw(cv::Size size, Random& random) const {
  Point normal{};
  for (double& value : normal) value = random.normal();
  Point p = mean_;
  for (int i = 0; i < kDimensions; ++i) {
    for (int j = 0; j <= i; ++j) p[i] += factor_[i][j] * normal[j];
  }
  Ellipse e;
  e.center_x = p[0] * size.width;
  e.center_y = p[1] * size.height;
  e.semi_major = std::exp(p[2]) * size.width;
  e.semi_minor = e.semi_major * std::exp(std::min(0.0, p[3]));
  const double angle = std::fmod(mean_angle_ + p[4], kPi);
  e.angle = angle < 0 ? angle + kPi : angle;
  return e;
}

Ellipse EllipsePrior::sample(cv::Size size, Random& random) const {
  Ellipse e;
  for (int i = 0; i < kDraws; ++i) {
    e = draw(size, random);
    if (inside(e, size)) return e;
  }
  return moved_inside(e, size);
}

}  // namespace sono
