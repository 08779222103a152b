#pragma once
// Annotations as filled masks. A data set may hand out filled heads or drawn
// outlines, and a drawn outline may not be closed: each kind is told apart and
// made into the same thing, a filled mask.

#include <opencv2/core.hpp>
#include <string>
#include <string_view>

#include "data/ellipse.h"

namespace sono {

enum class MaskKind { kEmpty, kFilled, kClosedOutline, kOpenOutline };

// "empty", "filled", "closed outline", "open outline".
std::string_view mask_kind_name(MaskKind kind);

// What to do with outlines.
enum class MaskPolicy {
  kAuto,     // fill a closed outline, fit an ellipse to an open one
  kEllipse,  // fit an ellipse to every outline
  kStrict,   // fill a closed outline, refuse an open one
};

// From the option's text "auto", "ellipse" or "strict"; else ConfigError.
MaskPolicy mask_policy(std::string_view text);

struct FilledMask {
  cv::Mat mask;  // CV_8UC1 [H, W], 0 or 255
  MaskKind kind = MaskKind::kEmpty;
  double gap_px = 0;  // open outlines: the longest missing stretch
};

// Foreground is above half of the annotation's maximum, so 0/1, 0/255 and
// smoothed annotations all read alike. CV_8UC1 in, 0 or 255 out.
cv::Mat binarize(const cv::Mat& annotation);

// What `annotation` (CV_8UC1) is. A region that outlives an erosion by 15 % of
// the shorter side of its box is filled. Else it is an outline, closed when it
// encloses at least half of its convex hull.
MaskKind classify_annotation(const cv::Mat& annotation);

// The filled mask behind an annotation. DataError naming `name` for an open
// outline under kStrict and for an outline no ellipse can be fitted to. An
// empty annotation gives an empty (all zero) mask of kind kEmpty.
FilledMask fill_annotation(const cv::Mat& annotation, MaskPolicy policy,
                           const std::string& name);

// The smallest box that holds the foreground; x1 and y1 are the largest
// foreground indices themselves (not one past), as in Wang et al. 2025 and
// MedSAM. SONO_CHECK fails on an empty mask.
Box tight_box(const cv::Mat& mask);

}  // namespace sono
