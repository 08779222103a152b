#pragma once
// Resizing as Pillow does it, to the bit: a triangle filter that widens when
// the image shrinks, across first and then down, rounded to 8 bits between, in
// fixed point (Pillow, Resample.c). Networks that were trained behind Pillow
// see other pixels behind OpenCV's resizing.

#include <opencv2/core.hpp>

namespace sono {

// CV_8UC1, C3 or C4 -> the same type, `size` px. Image.BILINEAR.
cv::Mat resize_as_pil(const cv::Mat& image, cv::Size size);

}  // namespace sono
