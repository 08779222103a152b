#pragma once
// Planes of tensors as pictures.

#include <ATen/ATen.h>

#include <opencv2/core.hpp>

namespace sono {

// fp32 [H, W] in 0..1 to CV_8UC1, rounded.
cv::Mat to_grey(const at::Tensor& plane);
// fp32 [3, H, W] in 0..1 to CV_8UC3, RGB.
cv::Mat to_rgb(const at::Tensor& image);

}  // namespace sono
