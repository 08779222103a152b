#pragma once
// The outline of a mask as points with weights, and the way from other points
// to the nearest of them.

#include <opencv2/core.hpp>
#include <vector>

#include "experiments/metrics/pixel_spacing.h"

namespace sono {

// Points of a grid, row by row, each row from left to right. Coordinates are
// those of the image (pixel centres), or of the corners between pixels: corner
// (x, y) lies at the upper left of pixel (x, y).
struct Outline {
  std::vector<cv::Point> points;
  std::vector<double> weights;  // one a point, in the unit of the spacing
};

// The pixels that an erosion with the 4-neighbourhood takes away, pixels
// outside the image being background: mask pixels at the image's border are
// among them. All weigh 1. `mask`: CV_8UC1 [H, W], non-zero is inside.
Outline edge_pixels(const cv::Mat& mask);

// The corners whose four pixels are not all alike, each weighing the length of
// outline near it, as in Nikolov et al. 2021 (arXiv 1809.04430): half a pixel's
// diagonal round one pixel in or out, a side between two rows or columns, a
// whole diagonal where two pixels touch in a corner.
Outline corner_contour(const cv::Mat& mask, PixelSpacing spacing);

// Euclidean distance from each point of `from` to the nearest point of `to`,
// exact. Empty when `from` is; `to` must not be. The cost of a point grows with
// its distance, so outlines that nearly agree are compared fastest.
std::vector<double> nearest_distances(const Outline& from, const Outline& to,
                                      PixelSpacing spacing);

}  // namespace sono
