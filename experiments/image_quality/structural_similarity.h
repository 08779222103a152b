#pragma once
// Likeness of pairs of images: PSNR, SSIM (Wang et al. 2004) and MS-SSIM (Wang
// et al. 2003), in torchmetrics' convention: a Gaussian window of 11 px and 1.5
// px deviation, borders reflected. Images are [B, 1, H, W] in 0 .. data_range.

#include <ATen/ATen.h>

namespace sono {

inline constexpr double kGreyRange = 255;

// [B]; infinite for equal images.
at::Tensor peak_signal_to_noise(const at::Tensor& a, const at::Tensor& b,
                                double data_range = kGreyRange);
// [B]. DataError under 11 px a side.
at::Tensor structural_similarity(const at::Tensor& a, const at::Tensor& b,
                                 double data_range = kGreyRange);
// [B]; five scales. DataError under 176 px a side, where the coarsest scale is
// smaller than the window.
at::Tensor multiscale_similarity(const at::Tensor& a, const at::Tensor& b,
                                 double data_range = kGreyRange);

}  // namespace sono
