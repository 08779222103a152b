#pragma once
// The steps of the published augmentations (data/augment.h) with every number
// given, as albumentations computes them: what enters from outside is black and
// not head, images are interpolated linearly, masks take the nearest pixel.

#include <opencv2/core.hpp>
#include <vector>

#include "data/sample.h"

namespace sono {

// Left to right (across), or top to bottom.
void flip(Sample& sample, bool across);
// Counter-clockwise about the image's middle.
void rotate(Sample& sample, double degrees);
// Grey values times `contrast`, plus `brightness` of 255.
void change_brightness(Sample& sample, double contrast, double brightness);
// Gaussian of 3x3 px.
void blur(Sample& sample);
// Grey values plus noise CV_32FC1 [H, W].
void add_noise(Sample& sample, const cv::Mat& noise);
// Pixel (x, y) comes from (x + dx, y + dy); both CV_32FC1 [H, W], px.
void displace(Sample& sample, const cv::Mat& dx, const cv::Mat& dy);
// Blackens these parts of the image; the mask keeps them.
void drop_patches(Sample& sample, const std::vector<cv::Rect>& patches);

}  // namespace sono
