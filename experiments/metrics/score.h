#pragma once
// Scores one prediction and fills the result fields of its row of cases.csv.
//
// What a miss costs: an empty prediction of a head that is there is a failure
// and stays in every mean, with Dice, IoU and NSD 0, HD, HD95 and ASSD the
// diagonal of the image, and HC, BPD and OFD of 0 (an error of -100 %). A
// prediction to which no ellipse can be fitted keeps its overlap and distances
// and has a biometry of 0.
//
// Status: "ok", or these words joined by ';':
//   missed        the prediction is empty
//   no_reference  the image has no reference mask: only the prediction's own
//                 HC, BPD and OFD are filled, and the row is in no mean
//   no_spacing    the pixel size is unknown: no field in mm; the HC error
//                 compares pixels, which assumes square ones
//   no_ellipse    no ellipse fits the prediction

#include <opencv2/core.hpp>
#include <string_view>

#include "experiments/metrics/surface.h"
#include "experiments/report/cases.h"

namespace sono {

struct ScoreOptions {
  SurfaceConvention convention = SurfaceConvention::kMonai;
  double tolerance_px = 5;  // of the normalised surface Dice
  double tolerance_mm = 1;
};

// Reads spacing_x, spacing_y and hc_reference_mm (which may be empty: then the
// reference is the ellipse of the reference mask, and a known spacing fills
// hc_reference_mm from it); fills dice .. hc_floor_pct and status.
// `prediction` and `reference`: CV_8UC1 [H, W] on the native grid, of one size;
// `reference` may be empty() or all zero: no_reference.
void score_case(const cv::Mat& prediction, const cv::Mat& reference, Case& row,
                const ScoreOptions& options = {});

// Whether `word` is one of the words of a status.
bool has_status(std::string_view status, std::string_view word);

}  // namespace sono
