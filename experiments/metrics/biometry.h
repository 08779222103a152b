#pragma once
// What obstetrics measures on a head: the circumference (HC), the biparietal
// (BPD) and the occipitofrontal diameter (OFD) of the ellipse fitted to the
// mask's outline. BPD is the length of its minor axis, OFD of its major axis,
// both from outer edge to outer edge as the masks are drawn.

#include <opencv2/core.hpp>
#include <optional>

#include "experiments/metrics/pixel_spacing.h"

namespace sono {

struct HeadBiometry {
  double hc = 0;
  double bpd = 0;
  double ofd = 0;
};

struct MeasuredHead {
  HeadBiometry px;
  std::optional<HeadBiometry> mm;  // nothing when the spacing is unknown
};

// `mask`: CV_8UC1 [H, W]. With unequal spacing the ellipse is stretched before
// its axes are taken. Nothing when no ellipse can be fitted (an empty mask, a
// point, a line).
std::optional<MeasuredHead> measure_head(
    const cv::Mat& mask, std::optional<PixelSpacing> spacing_mm);

// Signed, in percent of the reference (> 0).
double relative_error_pct(double value, double reference);

}  // namespace sono
