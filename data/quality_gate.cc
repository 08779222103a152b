#include "data/quality_gate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "core/check.h"
#include "data/ellipse.h"
#include "data/mask.h"

namespace sono {
namespace {

constexpr int kDirections = 72;
constexpr int kSectors = 24;
constexpr double kRidgeGreyLevels = 3;
// Distances from the ellipse are in units of 1/128 of the frame's width, the
// size at which they were calibrated.
constexpr double kUnitsPerWidth = 128;
// A generated outline with no pixel brighter than this is none.
constexpr double kMinOutlineGrey = 64;
// Components of the outline below this part of the largest are specks.
constexpr double kSpeckFraction = 0.05;

double mean_radius(const Ellipse& ellipse) {
  return std::sqrt(ellipse.semi_major * ellipse.semi_minor);
}

// The point at parameter t, moved outwards along the normal.
cv::Point2d point_on(const Ellipse& ellipse, double t, double outwards_px) {
  const double a = ellipse.semi_major, b = ellipse.semi_minor;
  const double normal_x = b * std::cos(t), normal_y = a * std::sin(t);
  const double step = outwards_px / std::hypot(normal_x, normal_y);
  const double x = a * std::cos(t) + step * normal_x;
  const double y = b * std::sin(t) + step * normal_y;
  const double c = std::cos(ellipse.angle), s = std::sin(ellipse.angle);
  return {ellipse.center_x + c * x - s * y, ellipse.center_y + s * x + c * y};
}

double direction(int k, int count) { return 2 * std::numbers::pi * k / count; }

bool in_frame(const cv::Point2d& point, cv::Size size) {
  return point.x >= 0 && point.y >= 0 && point.x <= size.width - 1 &&
         point.y <= size.height - 1;
}

double fraction_in_frame(const Ellipse& ellipse, cv::Size size) {
  int inside = 0;
  for (int k = 0; k < kDirections; ++k) {
    inside += in_frame(point_on(ellipse, direction(k, kDirections), 0), size);
  }
  return static_cast<double>(inside) / kDirections;
}

// The grey profile across the ellipse: rows are distances outwards in steps of
// half a unit from -kReach to kReach units, columns the directions whose point
// on the ellipse is in the frame. CV_32FC1.
constexpr int kReach = 5;
constexpr int kStepsPerUnit = 2;

cv::Mat profile_across(const cv::Mat& image, const Ellipse& ellipse) {
  const double unit_px = image.cols / kUnitsPerWidth;
  std::vector<double> directions;
  for (int k = 0; k < kDirections; ++k) {
    const double t = direction(k, kDirections);
    if (in_frame(point_on(ellipse, t, 0), image.size()))
      directions.push_back(t);
  }
  if (directions.empty()) return {};
  const int num_rows = 2 * kReach * kStepsPerUnit + 1;
  cv::Mat map(num_rows, static_cast<int>(directions.size()), CV_32FC2);
  for (int row = 0; row < map.rows; ++row) {
    const double units = static_cast<double>(row) / kStepsPerUnit - kReach;
    for (int column = 0; column < map.cols; ++column) {
      const auto point =
          point_on(ellipse, directions[static_cast<std::size_t>(column)],
                   units * unit_px);
      map.at<cv::Vec2f>(row, column) = {static_cast<float>(point.x),
                                        static_cast<float>(point.y)};
    }
  }
  cv::Mat grey, profile;
  image.convertTo(grey, CV_32F);
  cv::remap(grey, profile, map, cv::noArray(), cv::INTER_LINEAR,
            cv::BORDER_REPLICATE);
  return profile;
}

// Mean over the distances first..last (units, inclusive), one a direction.
cv::Mat band_mean(const cv::Mat& profile, double first, double last) {
  const int top = static_cast<int>((first + kReach) * kStepsPerUnit);
  const int bottom = static_cast<int>((last + kReach) * kStepsPerUnit) + 1;
  cv::Mat mean;
  cv::reduce(profile.rowRange(top, bottom), mean, 0, cv::REDUCE_AVG);
  return mean;
}

// How far the mean height stands above zero, in its own standard errors over
// sectors of the head: a ridge runs all along it, noise does not.
double significance(const cv::Mat& height) {
  const int num_sectors = std::min(kSectors, height.cols);
  cv::Mat sectors(1, num_sectors, CV_64FC1);
  for (int k = 0; k < num_sectors; ++k) {
    const cv::Range columns(height.cols * k / num_sectors,
                            height.cols * (k + 1) / num_sectors);
    sectors.at<double>(k) = cv::mean(height.colRange(columns))[0];
  }
  cv::Scalar mean, deviation;
  cv::meanStdDev(sectors, mean, deviation);
  if (num_sectors < 2 || deviation[0] <= 0) return 0;
  return mean[0] / (deviation[0] / std::sqrt(num_sectors - 1.0));
}

// The ridge along the ellipse, which may lie up to a unit inside or outside it,
// since annotators differ on where in the bone the line runs.
void measure_skull(const cv::Mat& image, const Ellipse& ellipse,
                   GateVerdict& verdict) {
  const cv::Mat profile = profile_across(image, ellipse);
  if (profile.empty()) return;
  const cv::Mat flanks =
      (band_mean(profile, -4, -2) + band_mean(profile, 2, 4)) / 2;
  for (const double shift : {-1.0, -0.5, 0.0, 0.5, 1.0}) {
    const cv::Mat height = band_mean(profile, shift - 1, shift + 1) - flanks;
    const double fraction = cv::countNonZero(height > kRidgeGreyLevels) /
                            static_cast<double>(height.cols);
    if (fraction < verdict.skull_fraction) continue;
    verdict.skull_fraction = fraction;
    verdict.skull_contrast = cv::mean(height)[0];
    verdict.skull_significance = significance(height);
  }
}

// Fills in how well the points lie on the ellipse.
void measure_fit(const std::vector<cv::Point>& points, const Ellipse& ellipse,
                 GateVerdict& verdict) {
  // Bins of three pixels, so that a drawn line meets each.
  const int num_bins =
      std::clamp(static_cast<int>(circumference(ellipse) / 3), 12, kDirections);
  const double tolerance_px = std::max(1.5, 0.1 * mean_radius(ellipse));
  const double c = std::cos(ellipse.angle), s = std::sin(ellipse.angle);
  std::vector<bool> met(static_cast<std::size_t>(num_bins), false);
  double sum_squares = 0;
  for (const auto& point : points) {
    const double dx = point.x - ellipse.center_x;
    const double dy = point.y - ellipse.center_y;
    const double u = (c * dx + s * dy) / ellipse.semi_major;
    const double v = (c * dy - s * dx) / ellipse.semi_minor;
    const double scale = std::max(1e-6, std::hypot(u, v));
    const double distance_px = std::hypot(dx, dy) * std::abs(1 - 1 / scale);
    sum_squares += distance_px * distance_px;
    if (distance_px > tolerance_px) continue;
    const double turn = std::atan2(v, u) / (2 * std::numbers::pi) + 1;
    met[static_cast<std::size_t>(turn * num_bins) % met.size()] = true;
  }
  verdict.residual_px =
      std::sqrt(sum_squares / static_cast<double>(points.size()));
  verdict.closure =
      static_cast<double>(std::count(met.begin(), met.end(), true)) / num_bins;
}

std::string limit_text(const char* what, double value, const char* relation,
                       double limit) {
  char text[96];
  std::snprintf(text, sizeof(text), "%s %.3g %s %.3g", what, value, relation,
                limit);
  return text;
}

// The first limit that is not kept, or "accepted".
std::string first_failure(const GateVerdict& verdict, const Ellipse& ellipse,
                          const GateConfig& config) {
  const auto below = [](const char* what, double value, double limit) {
    return value < limit ? limit_text(what, value, "below", limit) : "";
  };
  const auto above = [](const char* what, double value, double limit) {
    return value > limit ? limit_text(what, value, "above", limit) : "";
  };
  const std::string failures[] = {
      below("area", verdict.area_fraction, config.min_area),
      above("area", verdict.area_fraction, config.max_area),
      below("axis ratio", verdict.axis_ratio, config.min_axis_ratio),
      below("in frame", verdict.in_frame, config.min_in_frame),
      above("residual", verdict.residual_px / mean_radius(ellipse),
            config.max_residual),
      below("closure", verdict.closure, config.min_closure),
      below("skull", verdict.skull_fraction, config.min_skull),
      below("skull significance", verdict.skull_significance,
            config.min_skull_significance)};
  for (const auto& failure : failures) {
    if (!failure.empty()) return failure;
  }
  return "accepted";
}

GateVerdict judge_points(const cv::Mat& image,
                         const std::vector<cv::Point>& points,
                         const Ellipse& ellipse, const GateConfig& config) {
  GateVerdict verdict;
  verdict.area_fraction = std::numbers::pi * ellipse.semi_major *
                          ellipse.semi_minor /
                          static_cast<double>(image.total());
  verdict.axis_ratio = ellipse.semi_minor / ellipse.semi_major;
  verdict.in_frame = fraction_in_frame(ellipse, image.size());
  measure_fit(points, ellipse, verdict);
  measure_skull(image, ellipse, verdict);
  verdict.reason = first_failure(verdict, ellipse, config);
  verdict.accepted = verdict.reason == "accepted";
  return verdict;
}

// Outline pixels, without specks.
std::vector<cv::Point> outline_points(const cv::Mat& outline) {
  cv::Mat labels, stats, centroids;
  const int count = cv::connectedComponentsWithStats(
      binarize(outline), labels, stats, centroids, 8, CV_32S);
  int largest = 0;
  for (int k = 1; k < count; ++k) {
    largest = std::max(largest, stats.at<int>(k, cv::CC_STAT_AREA));
  }
  std::vector<cv::Point> points;
  for (int y = 0; y < labels.rows; ++y) {
    for (int x = 0; x < labels.cols; ++x) {
      const int label = labels.at<int>(y, x);
      if (label > 0 &&
          stats.at<int>(label, cv::CC_STAT_AREA) >= kSpeckFraction * largest) {
        points.emplace_back(x, y);
      }
    }
  }
  return points;
}

// Boundary pixels of all components of a filled mask.
std::vector<cv::Point> boundary_points(const cv::Mat& mask) {
  std::vector<std::vector<cv::Point>> contours;
  cv::findContours(mask > 127, contours, cv::RETR_EXTERNAL,
                   cv::CHAIN_APPROX_NONE);
  std::vector<cv::Point> points;
  for (const auto& contour : contours) {
    points.insert(points.end(), contour.begin(), contour.end());
  }
  return points;
}

void check_grey_pair(const cv::Mat& image, const cv::Mat& label) {
  SONO_CHECK(image.type() == CV_8UC1 && label.type() == CV_8UC1 &&
                 !image.empty() && image.size() == label.size(),
             "image and label must be 8-bit grey and of one size");
}

}  // namespace

void GateConfig::validate() const {
  check_range("gate.min_closure", min_closure, 0, 1);
  check_range("gate.max_residual", max_residual, 0, 1);
  check_range("gate.min_area", min_area, 0, 1);
  check_range("gate.max_area", max_area, min_area, 1);
  check_range("gate.min_axis_ratio", min_axis_ratio, 0, 1);
  check_range("gate.min_in_frame", min_in_frame, 0, 1);
  check_range("gate.min_skull", min_skull, 0, 1);
  check_range("gate.min_skull_significance", min_skull_significance, 0, 1000);
}

void describe(OptionTable& table, GateConfig& config) {
  constexpr auto kResult = OptionKind::kResult;
  table.add("gate.min_closure", &config.min_closure, kResult,
            "least part of the ellipse that the outline meets, 0..1");
  table.add("gate.max_residual", &config.max_residual, kResult,
            "largest rms distance of outline and ellipse, of its mean radius");
  table.add("gate.min_area", &config.min_area, kResult,
            "least area of the head, as a part of the frame");
  table.add("gate.max_area", &config.max_area, kResult,
            "largest area of the head, as a part of the frame");
  table.add("gate.min_axis_ratio", &config.min_axis_ratio, kResult,
            "least ratio of the short to the long axis of the head");
  table.add("gate.min_in_frame", &config.min_in_frame, kResult,
            "least part of the head's perimeter inside the frame, 0..1");
  table.add("gate.min_skull_significance", &config.min_skull_significance,
            kResult,
            "least height of that ridge, in its standard errors over sectors");
  table.add("gate.min_skull", &config.min_skull, kResult,
            "least part of the label's edge that lies on a bright ridge, 0..1");
}

GateVerdict judge_pair(const cv::Mat& image, const cv::Mat& mask,
                       const GateConfig& config) {
  check_grey_pair(image, mask);
  const auto ellipse = fit_ellipse(mask);
  if (!ellipse) return {.reason = "no ellipse fits the mask"};
  return judge_points(image, boundary_points(mask), *ellipse, config);
}

GateVerdict judge_outline(const cv::Mat& image, const cv::Mat& outline,
                          const GateConfig& config, cv::Mat* filled_mask) {
  check_grey_pair(image, outline);
  SONO_CHECK(filled_mask != nullptr, "filled_mask must be given");
  double brightest = 0;
  cv::minMaxLoc(outline, nullptr, &brightest);
  if (brightest < kMinOutlineGrey) return {.reason = "no outline"};
  const auto points = outline_points(outline);
  const auto ellipse = fit_ellipse_to_points(points);
  if (!ellipse) return {.reason = "no ellipse fits the outline"};
  auto verdict = judge_points(image, points, *ellipse, config);
  if (verdict.accepted) *filled_mask = render_filled(*ellipse, image.size());
  return verdict;
}

}  // namespace sono
