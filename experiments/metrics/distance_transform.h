#pragma once
// Exact Euclidean distance transform in time linear in the pixels:
// Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions",
// Theory of Computing 2012.

#include <opencv2/core.hpp>

namespace sono {

// Size of a pixel along each axis, in the unit the distances shall have.
// {1, 1} measures in pixels.
struct PixelSpacing {
  double x = 1;
  double y = 1;
};

// Squared distance from each pixel centre to the nearest non-zero one.
// `points`: CV_8UC1 [H, W]; returns CV_64FC1 [H, W], infinity everywhere when
// there is no point. With unit spacing every value is an exact integer.
cv::Mat squared_distances(const cv::Mat& points, PixelSpacing spacing);

}  // namespace sono
