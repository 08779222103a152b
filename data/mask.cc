#include "data/mask.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "core/option.h"

namespace sono {
namespace {

// A drawn line is thinner than this share of the head's shorter side.
constexpr double kLineShare = 0.15;
constexpr double kClosedShare = 0.5;

void check_grey(const cv::Mat& image) {
  SONO_CHECK(!image.empty() && image.type() == CV_8UC1,
             "an annotation is CV_8UC1, not type " << image.type());
}

std::vector<cv::Point> foreground_points(const cv::Mat& mask) {
  std::vector<cv::Point> points;
  cv::findNonZero(mask, points);
  return points;
}

// `mask` with every hole filled: all that a 4-connected flood from outside
// the frame does not reach (so an 8-connected line holds it back).
cv::Mat fill_holes(const cv::Mat& mask) {
  cv::Mat padded;
  cv::copyMakeBorder(mask, padded, 1, 1, 1, 1, cv::BORDER_CONSTANT, 0);
  cv::floodFill(padded, {0, 0}, 128, nullptr, 0, 0, 4);
  return padded(cv::Rect(1, 1, mask.cols, mask.rows)) != 128;
}

bool survives_erosion(const cv::Mat& mask) {
  const cv::Rect box = cv::boundingRect(mask);
  const int radius = std::max(
      1, static_cast<int>(kLineShare / 2 * std::min(box.width, box.height)));
  const int side = 2 * radius + 1;
  cv::Mat eroded;
  cv::erode(mask(box).clone(), eroded,
            cv::getStructuringElement(cv::MORPH_RECT, {side, side}), {-1, -1},
            1, cv::BORDER_CONSTANT, cv::Scalar(0));
  return cv::countNonZero(eroded) > 0;
}

bool encloses_its_hull(const cv::Mat& mask, const cv::Mat& filled) {
  std::vector<cv::Point> hull;
  cv::convexHull(foreground_points(mask), hull);
  const double hull_area = cv::contourArea(hull);
  const int line = cv::countNonZero(mask);
  const int enclosed = cv::countNonZero(filled);
  return enclosed > line && enclosed >= kClosedShare * hull_area;
}

MaskKind classify(const cv::Mat& mask, const cv::Mat& filled) {
  if (cv::countNonZero(mask) == 0) return MaskKind::kEmpty;
  if (survives_erosion(mask)) return MaskKind::kFilled;
  return encloses_its_hull(mask, filled) ? MaskKind::kClosedOutline
                                         : MaskKind::kOpenOutline;
}

// The ellipse around a drawn line: fitted along its middle, then widened by
// half the line's width, so that it covers what a filled outline would.
std::optional<Ellipse> ellipse_of_line(const cv::Mat& line) {
  const std::vector<cv::Point> points = foreground_points(line);
  std::optional<Ellipse> ellipse = fit_ellipse_to_points(points);
  if (!ellipse) return ellipse;
  cv::Mat distance;  // to the nearest background pixel
  cv::distanceTransform(line, distance, cv::DIST_L2, cv::DIST_MASK_PRECISE);
  // Over a strip of half width w the distance to its edge averages w / 2.
  const double half_width = 2 * cv::mean(distance, line)[0] - 0.5;
  ellipse->semi_major += half_width;
  ellipse->semi_minor += half_width;
  return ellipse;
}

// The longest stretch of the ellipse without a line pixel, px.
double longest_gap(const cv::Mat& line, const Ellipse& ellipse) {
  const double c = std::cos(ellipse.angle);
  const double s = std::sin(ellipse.angle);
  std::vector<double> angles;
  for (const cv::Point& point : foreground_points(line)) {
    const double dx = point.x - ellipse.center_x;
    const double dy = point.y - ellipse.center_y;
    angles.push_back(std::atan2((c * dy - s * dx) / ellipse.semi_minor,
                                (c * dx + s * dy) / ellipse.semi_major));
  }
  std::sort(angles.begin(), angles.end());
  const double turn = 2 * std::numbers::pi;
  double widest = angles.front() + turn - angles.back();
  for (std::size_t i = 1; i < angles.size(); ++i) {
    widest = std::max(widest, angles[i] - angles[i - 1]);
  }
  return widest / turn * circumference(ellipse);
}

}  // namespace

std::string_view mask_kind_name(MaskKind kind) {
  switch (kind) {
    case MaskKind::kEmpty:
      return "empty";
    case MaskKind::kFilled:
      return "filled";
    case MaskKind::kClosedOutline:
      return "closed outline";
    case MaskKind::kOpenOutline:
      return "open outline";
  }
  return "unknown";
}

MaskPolicy mask_policy(std::string_view text) {
  check_choice("data.mask", text, {"auto", "ellipse", "strict"});
  if (text == "ellipse") return MaskPolicy::kEllipse;
  return text == "strict" ? MaskPolicy::kStrict : MaskPolicy::kAuto;
}

cv::Mat binarize(const cv::Mat& annotation) {
  check_grey(annotation);
  double maximum = 0;
  cv::minMaxLoc(annotation, nullptr, &maximum);
  return annotation > maximum / 2;
}

MaskKind classify_annotation(const cv::Mat& annotation) {
  const cv::Mat mask = binarize(annotation);
  return classify(mask, fill_holes(mask));
}

FilledMask fill_annotation(const cv::Mat& annotation, MaskPolicy policy,
                           const std::string& name) {
  const cv::Mat mask = binarize(annotation);
  FilledMask result{fill_holes(mask), MaskKind::kEmpty, 0};
  result.kind = classify(mask, result.mask);
  const bool open = result.kind == MaskKind::kOpenOutline;
  const bool closed = result.kind == MaskKind::kClosedOutline;
  if (!open && !(closed && policy == MaskPolicy::kEllipse)) return result;

  const std::optional<Ellipse> ellipse = ellipse_of_line(mask);
  if (!ellipse) {
    throw DataError(name +
                    ": too few outline pixels to fit an ellipse to; "
                    "redraw the annotation or remove the image");
  }
  if (open) result.gap_px = longest_gap(mask, *ellipse);
  if (open && policy == MaskPolicy::kStrict) {
    throw DataError(name + ": outline not closed (gap of " +
                    std::to_string(std::lround(result.gap_px)) +
                    " px); close it, or fit an ellipse with data.mask=auto");
  }
  result.mask = render_filled(*ellipse, mask.size());
  return result;
}

Box tight_box(const cv::Mat& mask) {
  check_grey(mask);
  const cv::Rect box = cv::boundingRect(mask);
  SONO_CHECK(!box.empty(), "an empty mask has no box");
  return {static_cast<double>(box.x), static_cast<double>(box.y),
          static_cast<double>(box.x + box.width - 1),
          static_cast<double>(box.y + box.height - 1)};
}

}  // namespace sono
