#pragma once
// Overlap of two binary masks. Pure functions; any thread may call them.

#include <opencv2/core.hpp>

namespace sono {

// Both in [0, 1].
struct Overlap {
  double dice = 0;  // 2 |P and R| / (|P| + |R|)
  double iou = 0;   // |P and R| / |P or R|
};

// `prediction` and `reference`: CV_8UC1 [H, W] of one size, non-zero is inside.
// Two empty masks agree (1); one empty mask does not (0).
// Throws Error when sizes or types differ.
Overlap measure_overlap(const cv::Mat& prediction, const cv::Mat& reference);

// Throws Error unless both are CV_8UC1 of one size, at least 1 x 1.
void check_mask_pair(const cv::Mat& prediction, const cv::Mat& reference);

}  // namespace sono
