#pragma once
// The square frame that prompts, targets and mask logits live in. Fit: the
// image's longest side becomes 256 px, and zeros fill the square at the bottom
// right. Squash (Wang et al. 2025): both sides become 256 px. It is
// LiteMedSAM's input too, with pixels stretched to 0..1 (squash: divided by
// 255); SAM ViT's input (trainer/sam_pixels.h) is a larger frame of the same
// shape.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <opencv2/core.hpp>

#include "core/random.h"
#include "data/ellipse.h"
#include "models/sam/sam_config.h"

namespace sono {

enum class FrameFit { kFit, kSquash };

// "fit" or "squash"; else ConfigError.
FrameFit frame_fit(const std::string& text);

// Where an image lies in the frame, px.
struct SamFrame {
  static constexpr int kSidePx = 256;

  explicit SamFrame(cv::Size native_size, int side = kSidePx,
                    FrameFit fit = FrameFit::kFit);

  // A box of the native grid in frame coordinates.
  Box from_native(const Box& box) const;
  // And back.
  Box to_native(const Box& box) const;
  // The whole image as a box, [0, 0, size.width, size.height].
  Box whole() const;

  int side_px;
  cv::Size native;
  cv::Size size;   // of the image inside the frame
  double scale_x;  // frame px a native px
  double scale_y;
};

// Pushes each side of `box` outwards by 0 .. max_px whole pixels, but not out
// of `whole` (Wang et al. 2025: 0 .. 19).
Box jittered(const Box& box, const Box& whole, Random& random, int max_px);

// CV_8UC1 [H, W] -> fp32 [1, 3, 256, 256], three equal channels.
at::Tensor frame_image(const cv::Mat& image, FrameFit fit = FrameFit::kFit);

// Mask CV_8UC1 [H, W], non-zero inside -> fp32 [side, side], 0 or 1.
at::Tensor frame_target(const cv::Mat& mask, int side = SamFrame::kSidePx,
                        FrameFit fit = FrameFit::kFit);

// A box of the frame as a prompt in the encoder's pixels, fp32 [4].
at::Tensor box_prompt(const Box& frame_box, const SamConfig& config);

// fp32 [H, W] -> CV_8UC1 [H, W], 255 where it is above 0.
cv::Mat positive_mask(const at::Tensor& logits);

// Logits fp32 [side, side] -> CV_8UC1 [native], 255 where the bilinearly
// enlarged logits are above 0.
cv::Mat native_mask(const at::Tensor& logits, const SamFrame& frame);

}  // namespace sono
