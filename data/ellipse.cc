#include "data/ellipse.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "core/check.h"

namespace sono {
namespace {

constexpr double kPi = std::numbers::pi;

// The matrix S with x' S^-1 x = 1 on the boundary (centre at the origin).
struct Form {
  double xx = 0;
  double xy = 0;
  double yy = 0;
};

Form form_of(const Ellipse& ellipse) {
  const double c = std::cos(ellipse.angle);
  const double s = std::sin(ellipse.angle);
  const double a2 = ellipse.semi_major * ellipse.semi_major;
  const double b2 = ellipse.semi_minor * ellipse.semi_minor;
  return {a2 * c * c + b2 * s * s, (a2 - b2) * c * s, a2 * s * s + b2 * c * c};
}

double wrapped_angle(double angle) {
  const double wrapped = std::fmod(angle, kPi);
  return wrapped < 0 ? wrapped + kPi : wrapped;
}

// A coordinate as an index in 0..size.
int pixel_at(double position, int size) {
  return static_cast<int>(std::clamp(position, 0.0, static_cast<double>(size)));
}

bool on_a_line(const std::vector<cv::Point>& points) {
  std::vector<cv::Point> hull;
  cv::convexHull(points, hull);
  return hull.size() < 3 || cv::contourArea(hull) < 1;
}

}  // namespace

std::optional<Ellipse> fit_ellipse_to_points(
    const std::vector<cv::Point>& points) {
  if (points.size() < 5 || on_a_line(points)) return std::nullopt;
  const cv::RotatedRect rect = cv::fitEllipseDirect(points);
  const double width = rect.size.width;
  const double height = rect.size.height;
  if (!std::isfinite(width * height) || width <= 0 || height <= 0) {
    return std::nullopt;
  }
  const double angle = rect.angle * kPi / 180 + (width < height ? kPi / 2 : 0);
  return Ellipse{rect.center.x, rect.center.y, std::max(width, height) / 2,
                 std::min(width, height) / 2, wrapped_angle(angle)};
}

std::optional<Ellipse> fit_ellipse(const cv::Mat& mask) {
  SONO_CHECK(mask.empty() || mask.type() == CV_8UC1,
             "a mask is CV_8UC1, not type " << mask.type());
  if (mask.empty()) return std::nullopt;
  std::vector<std::vector<cv::Point>> contours;
  cv::findContours(mask, contours, cv::RETR_EXTERNAL, cv::CHAIN_APPROX_NONE);
  if (contours.empty()) return std::nullopt;
  const auto largest = std::max_element(
      contours.begin(), contours.end(), [](const auto& a, const auto& b) {
        return cv::contourArea(a) < cv::contourArea(b);
      });
  return fit_ellipse_to_points(*largest);
}

double circumference(const Ellipse& ellipse) {
  const double a = ellipse.semi_major;
  const double b = ellipse.semi_minor;
  if (a + b <= 0) return 0;
  const double h = (a - b) * (a - b) / ((a + b) * (a + b));
  return kPi * (a + b) * (1 + 3 * h / (10 + std::sqrt(4 - 3 * h)));
}

double circumference_mm(const Ellipse& ellipse, double spacing_x_mm,
                        double spacing_y_mm) {
  return circumference(scaled(ellipse, spacing_x_mm, spacing_y_mm));
}

Ellipse scaled(const Ellipse& ellipse, double scale_x, double scale_y) {
  const Form form = form_of(ellipse);
  const double xx = form.xx * scale_x * scale_x;
  const double xy = form.xy * scale_x * scale_y;
  const double yy = form.yy * scale_y * scale_y;
  const double mean = (xx + yy) / 2;
  const double half_gap = std::hypot((xx - yy) / 2, xy);
  return {ellipse.center_x * scale_x, ellipse.center_y * scale_y,
          std::sqrt(mean + half_gap), std::sqrt(std::max(0.0, mean - half_gap)),
          wrapped_angle(std::atan2(2 * xy, xx - yy) / 2)};
}

cv::Mat render_filled(const Ellipse& ellipse, cv::Size size) {
  cv::Mat mask = cv::Mat::zeros(size, CV_8UC1);
  const Form form = form_of(ellipse);
  const double determinant = form.xx * form.yy - form.xy * form.xy;
  if (!(determinant > 0)) return mask;
  const Box box = bounding_box(ellipse);
  const int first = pixel_at(std::ceil(box.y0), size.height);
  const int last = pixel_at(std::floor(box.y1) + 1, size.height);
  for (int y = first; y < last; ++y) {
    // On a row the inside is one run around the conjugate diameter.
    const double dy = y - ellipse.center_y;
    const double middle = ellipse.center_x + form.xy / form.yy * dy;
    const double half = std::sqrt(
        std::max(0.0, determinant * (form.yy - dy * dy)) / (form.yy * form.yy));
    const int begin = pixel_at(std::ceil(middle - half), size.width);
    const int end = pixel_at(std::floor(middle + half) + 1, size.width);
    if (begin < end) mask.row(y).colRange(begin, end).setTo(255);
  }
  return mask;
}

Box bounding_box(const Ellipse& ellipse) {
  const Form form = form_of(ellipse);
  const double half_width = std::sqrt(form.xx);
  const double half_height = std::sqrt(form.yy);
  return {ellipse.center_x - half_width, ellipse.center_y - half_height,
          ellipse.center_x + half_width, ellipse.center_y + half_height};
}

}  // namespace sono
