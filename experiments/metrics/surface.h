#pragma once
// Distances between the outlines of two masks, in MONAI's convention: the
// surface of a mask is what a 4-connected erosion takes away (so mask pixels
// at the image border are surface), distances run between pixel centres.

#include <opencv2/core.hpp>
#include <optional>

#include "experiments/metrics/distance_transform.h"

namespace sono {

// In the unit of the spacing.
struct SurfaceDistances {
  double hd = 0;    // Hausdorff: max of the two directed maxima
  double hd95 = 0;  // max of the two directed 95th percentiles
  double assd = 0;  // mean over both directed sets, pooled
};

// `prediction` and `reference`: CV_8UC1 [H, W] of one size. Nothing when either
// is empty: what a miss costs is the caller's decision (see score.h).
std::optional<SurfaceDistances> measure_surface(const cv::Mat& prediction,
                                                const cv::Mat& reference,
                                                PixelSpacing spacing = {});

// Pixels that an erosion with the 4-neighbourhood removes; 255 where so.
cv::Mat mask_surface(const cv::Mat& mask);

}  // namespace sono
