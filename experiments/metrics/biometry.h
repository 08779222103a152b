#pragma once
// Head circumference (HC) of a mask: that of the ellipse fitted to its outline.

#include <opencv2/core.hpp>
#include <optional>

#include "experiments/metrics/distance_transform.h"

namespace sono {

struct HeadCircumference {
  double px = 0;
  std::optional<double> mm;  // nothing when the pixel spacing is unknown
};

// `mask`: CV_8UC1 [H, W]. Nothing when no ellipse can be fitted (an empty
// mask, a point, a line).
std::optional<HeadCircumference> measure_head(
    const cv::Mat& mask, std::optional<PixelSpacing> spacing_mm);

// Signed, in percent of the reference (> 0).
double relative_error_pct(double value, double reference);

}  // namespace sono
