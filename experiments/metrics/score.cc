#include "experiments/metrics/score.h"

#include <cmath>

#include "experiments/metrics/biometry.h"
#include "experiments/metrics/overlap.h"

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
  const auto reference = row.hc_reference_mm;
  for (const CaseColumn& column : case_columns()) {
    if (!is_result_column(column.name)) continue;
    std::visit([&](auto field) { row.*field = {}; }, column.field);
  }
  row.hc_reference_mm = reference;
}

double diagonal(cv::Size size, PixelSpacing spacing) {
  return std::hypot(size.width * spacing.x, size.height * spacing.y);
}

// The surface fields of a row, in one unit.
struct SurfaceScores {
  double hd = 0;
  double hd95 = 0;
  double assd = 0;
  double nsd = 0;
};

SurfaceScores scores_of(const SurfaceDistances& distances, double scale,
                        double tolerance) {
  return {distances.hd() * scale, distances.hd95() * scale,
          distances.assd() * scale, distances.nsd(tolerance / scale)};
}

SurfaceScores scores_of_a_miss(double diagonal) {
  return {diagonal, diagonal, diagonal, 0};
}

void fill_px(const SurfaceScores& scores, Case& row) {
  row.hd_px = scores.hd;
  row.hd95_px = scores.hd95;
  row.assd_px = scores.assd;
  row.nsd_px = scores.nsd;
}

void fill_mm(const SurfaceScores& scores, Case& row) {
  row.hd_mm = scores.hd;
  row.hd95_mm = scores.hd95;
  row.assd_mm = scores.assd;
  row.nsd_mm = scores.nsd;
}

void score_surface(const cv::Mat& prediction, const cv::Mat& reference,
                   std::optional<PixelSpacing> spacing,
                   const ScoreOptions& options, Case& row) {
  const auto px =
      measure_surface(prediction, reference, {}, options.convention);
  if (!px) {
    fill_px(scores_of_a_miss(diagonal(reference.size(), {})), row);
    if (!spacing) return;
    fill_mm(scores_of_a_miss(diagonal(reference.size(), *spacing)), row);
    return;
  }
  fill_px(scores_of(*px, 1, options.tolerance_px), row);
  if (!spacing) return;
  if (spacing->x == spacing->y) {
    fill_mm(scores_of(*px, spacing->x, options.tolerance_mm), row);
    return;
  }
  const auto mm =
      measure_surface(prediction, reference, *spacing, options.convention);
  fill_mm(scores_of(*mm, 1, options.tolerance_mm), row);
}

void measure_prediction(const cv::Mat& prediction,
                        std::optional<PixelSpacing> spacing, Case& row) {
  const MeasuredHead head =
      measure_head(prediction, spacing)
          .value_or(MeasuredHead{HeadBiometry{}, HeadBiometry{}});
  row.hc_px = head.px.hc;
  row.bpd_px = head.px.bpd;
  row.ofd_px = head.px.ofd;
  if (!spacing) return;
  row.hc_mm = head.mm->hc;
  row.bpd_mm = head.mm->bpd;
  row.ofd_mm = head.mm->ofd;
}

// The reference's own measures, and how far its mask is off its csv.
void measure_reference(const HeadBiometry& head, Case& row) {
  row.bpd_reference_mm = head.bpd;
  row.ofd_reference_mm = head.ofd;
  if (!row.hc_reference_mm) {
    row.hc_reference_mm = head.hc;
  } else if (*row.hc_reference_mm > 0) {
    row.hc_floor_pct = relative_error_pct(head.hc, *row.hc_reference_mm);
  }
}

void compare_circumference(const cv::Mat& reference,
                           std::optional<PixelSpacing> spacing, Case& row) {
  const auto head = measure_head(reference, spacing);
  if (spacing) {
    if (head) measure_reference(*head->mm, row);
    if (!row.hc_reference_mm || *row.hc_reference_mm <= 0) return;
    row.hc_error_pct = relative_error_pct(*row.hc_mm, *row.hc_reference_mm);
  } else if (head) {
    row.hc_error_pct = relative_error_pct(*row.hc_px, head->px.hc);
  }
}

}  // namespace

void score_case(const cv::Mat& prediction, const cv::Mat& reference, Case& row,
                const ScoreOptions& options) {
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
  score_surface(prediction, reference, spacing, options, row);
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
