#pragma once
// Images in and masks out of SAM ViT as Meta's SamPredictor and Hugging Face's
// SamImageProcessor do it: the longest side becomes the encoder's side with
// Pillow's resizing, ImageNet's mean and deviation, zeros at the bottom right.

#include "trainer/sam_frame.h"

namespace sono {

// CV_8UC1, C3 or C4 (red first; alpha is dropped) -> fp32 [1, 3, S, S]. A grey
// image becomes three equal channels. `frame`: of side S.
at::Tensor sam_pixels(const cv::Mat& image, const SamFrame& frame);

// A box of the native grid in the encoder's pixels. Each axis has the scale of
// the rounded size, as in ResizeLongestSide.apply_boxes.
Box sam_input_box(const Box& native_box, const SamFrame& frame);

// Logits fp32 [B, masks, h, h] -> fp32 [B, masks, H, W] on the native grid:
// enlarged to the frame, the image's part cut out, resized, all bilinearly.
at::Tensor postprocess_masks(const at::Tensor& logits, const SamFrame& frame);

}  // namespace sono
