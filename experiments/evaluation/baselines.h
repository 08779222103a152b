#pragma once
// Blind baselines: rules that never look at the image. They stand in every
// table, because a prompt box drawn from the truth already tells most of it.

#include <opencv2/core.hpp>
#include <span>

#include "data/ellipse.h"

namespace sono {

inline constexpr char kBlindEllipseArm[] = "blind-ellipse";
inline constexpr char kMeanMaskArm[] = "mean-mask";

// For the gt-box prompt: the ellipse inscribed in `prompt_box` after each side
// came inwards by the mean jitter. `prompt_box`: px on the native grid, pixel
// coordinates inclusive. `mean_jitter_px`: of that grid too (for a jitter of
// 0..19 in LiteMedSAM's frame: 9.5 * longest side / 256). A box with no inside
// left gives an empty mask. Returns CV_8UC1 [size.height, size.width], 0 or
// 255.
cv::Mat blind_ellipse(const Box& prompt_box, double mean_jitter_px,
                      cv::Size size);

// The side of the square frame in which training masks are averaged.
inline constexpr int kMeanMaskSide = 256;

// For the other prompts: the fraction of the N training masks that cover each
// point of the image. Every mask (CV_8UC1, non-zero inside, any size) is
// stretched to kMeanMaskSide squared with area interpolation, so positions are
// relative to the image's width and height. Returns CV_32FC1 in 0..1; Error
// without masks.
cv::Mat mean_training_mask(std::span<const cv::Mat> masks);

// The mean mask as prediction for an image of `size`: resized bilinearly, then
// 255 where at least half of the training masks cover the point.
cv::Mat mean_mask_prediction(const cv::Mat& mean_mask, cv::Size size);

}  // namespace sono
