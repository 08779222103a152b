#include "experiments/metrics/score.h"

#include <cmath>

#include "core/check.h"
#include "experiments/metrics/biometry.h"
#include "experiments/metrics/overlap.h"
#include "experiments/metrics/surface.h"

namespace sono {
namespace {

bool is_blank(const cv::Mat& mask) {
  return mask.empty() || cv::countNonZero(mask) == 0;
}

void add_status(Case& row, const std::string& word) {
  row.status += row.status.empty() ? word : ";" + word;
}

std::optional<PixelSpacing> spacing_mm(const Case& row) {
  if (!row.spacing_x || !row.spacing_y) return std::nullopt;
  if (*row.spacing_x <= 0 || *row.spacing_y <= 0) return std::nullopt;
  return PixelSpacing{*row.spacing_x, *row.spacing_y};
}

void clear_results(Case& row) {
  row.dice = row.iou = std::nullopt;
  row.hd95_px = row.assd_px = row.hd95_mm = row.assd_mm = std::nullopt;
  row.hc_px = row.hc_mm = row.hc_error_pct = std::nullopt;
  row.status.clear();
}

double diagonal(cv::Size size, PixelSpacing spacing) {
  return std::hypot(size.width * spacing.x, size.height * spacing.y);
}

// HD95 and ASSD in the unit of `spacing`; both the diagonal for a miss.
SurfaceDistances distances_or_diagonal(const cv::Mat& prediction,
                                       const cv::Mat& reference,
                                       PixelSpacing spacing) {
  const auto found = measure_surface(prediction, reference, spacing);
  if (found) return *found;
  const double worst = diagonal(reference.size(), spacing);
  return {worst, worst, worst};
}

void score_surface(const cv::Mat& prediction, const cv::Mat& reference,
                   std::optional<PixelSpacing> spacing, Case& row) {
  const auto px = distances_or_diagonal(prediction, reference, {});
  row.hd95_px = px.hd95;
  row.assd_px = px.assd;
  if (!spacing) return;
  if (spacing->x == spacing->y) {
    row.hd95_mm = px.hd95 * spacing->x;
    row.assd_mm = px.assd * spacing->x;
    return;
  }
  const auto mm = distances_or_diagonal(prediction, reference, *spacing);
  row.hd95_mm = mm.hd95;
  row.assd_mm = mm.assd;
}

void measure_prediction(const cv::Mat& prediction,
                        std::optional<PixelSpacing> spacing, Case& row) {
  const auto head = measure_head(prediction, spacing);
  row.hc_px = head ? head->px : 0;
  if (spacing) row.hc_mm = head ? *head->mm : 0;
}

void compare_circumference(const cv::Mat& reference,
                           std::optional<PixelSpacing> spacing, Case& row) {
  const auto head = measure_head(reference, spacing);
  if (spacing) {
    if (!row.hc_reference_mm && head) row.hc_reference_mm = *head->mm;
    if (!row.hc_reference_mm || *row.hc_reference_mm <= 0) return;
    row.hc_error_pct = relative_error_pct(*row.hc_mm, *row.hc_reference_mm);
  } else if (head) {
    row.hc_error_pct = relative_error_pct(*row.hc_px, head->px);
  }
}

}  // namespace

void score_case(const cv::Mat& prediction, const cv::Mat& reference,
                Case& row) {
  clear_results(row);
  const auto spacing = spacing_mm(row);
  const bool missed = is_blank(prediction), no_reference = is_blank(reference);
  if (missed) add_status(row, "missed");
  if (no_reference) add_status(row, "no_reference");
  if (!spacing) add_status(row, "no_spacing");
  measure_prediction(prediction, spacing, row);
  if (*row.hc_px == 0 && !missed) add_status(row, "no_ellipse");
  if (row.status.empty()) row.status = "ok";
  if (no_reference) return;

  const Overlap overlap = measure_overlap(prediction, reference);
  row.dice = overlap.dice;
  row.iou = overlap.iou;
  score_surface(prediction, reference, spacing, row);
  compare_circumference(reference, spacing, row);
}

bool has_status(std::string_view status, std::string_view word) {
  while (!status.empty()) {
    const std::size_t end = status.find(';');
    if (status.substr(0, end) == word) return true;
    if (end == status.npos) return false;
    status.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace sono
