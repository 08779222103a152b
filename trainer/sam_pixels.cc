#include "trainer/sam_pixels.h"

#include <array>
#include <opencv2/imgproc.hpp>

#include "core/check.h"
#include "data/pil_resize.h"

namespace sono {
namespace {

// ImageNet's, of pixels in 0 .. 255, red first.
constexpr std::array kMean = {123.675, 116.28, 103.53};
constexpr std::array kDeviation = {58.395, 57.12, 57.375};

// CV_8UC3; what follows is the same for each channel by itself.
cv::Mat three_channels(const cv::Mat& image) {
  cv::Mat out = image;
  if (image.channels() == 1) cv::cvtColor(image, out, cv::COLOR_GRAY2RGB);
  if (image.channels() == 4) cv::cvtColor(image, out, cv::COLOR_RGBA2RGB);
  SONO_CHECK(out.type() == CV_8UC3,
             "wants 8-bit pixels, got OpenCV type " << image.type());
  return out;
}

}  // namespace

at::Tensor sam_pixels(const cv::Mat& image, const SamFrame& frame) {
  SONO_CHECK(image.size() == frame.native, "a frame of another image");
  const cv::Mat small = resize_as_pil(three_channels(image), frame.size);
  at::Tensor out = at::zeros({1, 3, frame.side_px, frame.side_px});
  for (std::size_t c = 0; c < kMean.size(); ++c) {
    const auto channel = static_cast<std::int64_t>(c);
    cv::Mat view(frame.side_px, frame.side_px, CV_32FC1,
                 out[0][channel].data_ptr<float>());
    cv::Mat values;
    cv::extractChannel(small, values, static_cast<int>(c));
    values.convertTo(values, CV_32F);
    values -= kMean[c];
    values /= kDeviation[c];
    values.copyTo(view(cv::Rect({0, 0}, frame.size)));
  }
  return out;
}

Box sam_input_box(const Box& native_box, const SamFrame& frame) {
  const double x = static_cast<double>(frame.size.width) / frame.native.width;
  const double y = static_cast<double>(frame.size.height) / frame.native.height;
  return {native_box.x0 * x, native_box.y0 * y, native_box.x1 * x,
          native_box.y1 * y};
}

at::Tensor postprocess_masks(const at::Tensor& logits, const SamFrame& frame) {
  const at::Tensor large =
      at::upsample_bilinear2d(logits, {frame.side_px, frame.side_px},
                              /*align_corners=*/false);
  const at::Tensor part =
      large.slice(2, 0, frame.size.height).slice(3, 0, frame.size.width);
  return at::upsample_bilinear2d(part,
                                 {frame.native.height, frame.native.width},
                                 /*align_corners=*/false);
}

}  // namespace sono
