#pragma once
// Distances between the outlines of two masks, as three packages define them.
//
//              outline            HD95                        ASSD
//   monai      edge pixels        larger of the two directed  mean over both
//                                 95th percentiles            sets, pooled
//   medpy      edge pixels        95th percentile of the      mean over both
//                                 pooled sets                 sets, pooled
//   deepmind   corners between    larger of the two directed  mean of the two
//              pixels, weighted   95th percentiles of the     directed means,
//              by length          outline's length            by length
//
// See outline.h for the two kinds of outline. NSD, the normalised surface Dice,
// is the share of both outlines (of their points, or of their length) that lies
// within a tolerance of the other one; medpy has none, so it takes monai's.

#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/metrics/pixel_spacing.h"

namespace sono {

enum class SurfaceConvention { kMonai, kMedpy, kDeepMind };

// "monai", "medpy", "deepmind".
const std::vector<std::string>& surface_convention_names();
// The convention of that name; Error for another.
SurfaceConvention surface_convention(std::string_view name);

// Distances of one outline's points to the other outline, ascending.
struct DirectedDistances {
  std::vector<double> distance;  // in the unit of the spacing
  std::vector<double> weight;    // one a distance
};

class SurfaceDistances {
 public:
  SurfaceDistances(SurfaceConvention convention, DirectedDistances prediction,
                   DirectedDistances reference);

  double hd() const;    // Hausdorff: the largest distance
  double hd95() const;  // its 95th percentile
  double assd() const;  // average symmetric surface distance
  // Normalised surface Dice in [0, 1]; `tolerance` in the unit of the spacing,
  // distances equal to it count as within.
  double nsd(double tolerance) const;

 private:
  SurfaceConvention convention_;
  DirectedDistances prediction_;
  DirectedDistances reference_;
};

// `prediction` and `reference`: CV_8UC1 [H, W] of one size. Nothing when either
// is empty: what a miss costs is the caller's decision (see score.h).
std::optional<SurfaceDistances> measure_surface(
    const cv::Mat& prediction, const cv::Mat& reference,
    PixelSpacing spacing = {},
    SurfaceConvention convention = SurfaceConvention::kMonai);

}  // namespace sono
