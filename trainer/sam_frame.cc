#include "trainer/sam_frame.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "core/check.h"
#include "core/option.h"

namespace sono {
namespace {

void check_grey(const cv::Mat& image) {
  SONO_CHECK(image.type() == CV_8UC1 && !image.empty(),
             "wants a grey 8-bit image, got OpenCV type " << image.type());
}

// fp32 [side, side]: `image` (CV_32FC1, no larger) with zeros around.
at::Tensor padded(const cv::Mat& image, int side) {
  at::Tensor out = at::zeros({side, side});
  cv::Mat view(side, side, CV_32FC1, out.data_ptr<float>());
  image.copyTo(view(cv::Rect(0, 0, image.cols, image.rows)));
  return out;
}

}  // namespace

FrameFit frame_fit(const std::string& text) {
  check_choice("segment.frame", text, {"fit", "squash"});
  return text == "fit" ? FrameFit::kFit : FrameFit::kSquash;
}

SamFrame::SamFrame(cv::Size native_size, int side, FrameFit fit)
    : side_px(side), native(native_size) {
  SONO_CHECK(native.width > 0 && native.height > 0,
             "an image of " << native.width << "x" << native.height);
  if (fit == FrameFit::kSquash) {
    size = {side_px, side_px};
    scale_x = static_cast<double>(side_px) / native.width;
    scale_y = static_cast<double>(side_px) / native.height;
    return;
  }
  const int longest = std::max(native.width, native.height);
  const double scale = static_cast<double>(side_px) / longest;
  scale_x = scale_y = scale;
  size = {std::max(1, static_cast<int>(native.width * scale + 0.5)),
          std::max(1, static_cast<int>(native.height * scale + 0.5))};
}

Box SamFrame::from_native(const Box& box) const {
  return {box.x0 * scale_x, box.y0 * scale_y, box.x1 * scale_x,
          box.y1 * scale_y};
}

Box SamFrame::to_native(const Box& box) const {
  return {box.x0 / scale_x, box.y0 / scale_y, box.x1 / scale_x,
          box.y1 / scale_y};
}

Box SamFrame::whole() const {
  return {0, 0, static_cast<double>(size.width),
          static_cast<double>(size.height)};
}

Box jittered(const Box& box, const Box& whole, Random& random, int max_px) {
  const auto draw = [&] {
    return static_cast<double>(random.below(std::uint64_t(max_px) + 1));
  };
  const double left = draw(), top = draw(), right = draw(), bottom = draw();
  return {std::max(whole.x0, box.x0 - left), std::max(whole.y0, box.y0 - top),
          std::min(whole.x1, box.x1 + right),
          std::min(whole.y1, box.y1 + bottom)};
}

at::Tensor frame_image(const cv::Mat& image, FrameFit fit) {
  check_grey(image);
  cv::Mat small, stretched;
  cv::resize(image, small, SamFrame(image.size(), SamFrame::kSidePx, fit).size,
             0, 0, cv::INTER_AREA);
  double low = 0, high = 255;
  if (fit == FrameFit::kFit) cv::minMaxLoc(small, &low, &high);
  small.convertTo(stretched, CV_32F);
  stretched -= low;
  stretched /= std::max(high - low, 1e-8);
  constexpr int kSide = SamFrame::kSidePx;
  return padded(stretched, kSide).expand({1, 3, kSide, kSide});
}

at::Tensor frame_target(const cv::Mat& mask, int side, FrameFit fit) {
  check_grey(mask);
  cv::Mat inside = mask > 0, small;
  inside.convertTo(inside, CV_32F, 1.0 / 255);
  cv::resize(inside, small, SamFrame(mask.size(), side, fit).size, 0, 0,
             cv::INTER_AREA);
  cv::threshold(small, small, 0.5, 1.0, cv::THRESH_BINARY);
  return padded(small, side);
}

at::Tensor box_prompt(const Box& frame_box, const SamConfig& config) {
  const double scale = static_cast<double>(config.image_size_px()) /
                       static_cast<double>(config.mask_size_px());
  return at::tensor({frame_box.x0 * scale, frame_box.y0 * scale,
                     frame_box.x1 * scale, frame_box.y1 * scale},
                    at::kFloat);
}

cv::Mat positive_mask(const at::Tensor& logits) {
  const at::Tensor inside = (logits > 0).to(at::kByte).mul_(255).contiguous();
  return cv::Mat(static_cast<int>(inside.size(0)),
                 static_cast<int>(inside.size(1)), CV_8UC1, inside.data_ptr())
      .clone();
}

cv::Mat native_mask(const at::Tensor& logits, const SamFrame& frame) {
  at::NoGradGuard no_grad;
  const std::int64_t side = frame.side_px;
  SONO_CHECK(
      logits.dim() == 2 && logits.size(0) == side && logits.size(1) == side,
      "logits are " << logits.sizes());
  const at::Tensor cropped = logits.slice(0, 0, frame.size.height)
                                 .slice(1, 0, frame.size.width)
                                 .unsqueeze(0)
                                 .unsqueeze(0);
  const at::Tensor large = at::upsample_bilinear2d(
      cropped, {frame.native.height, frame.native.width},
      /*align_corners=*/false);
  return positive_mask(large[0][0]);
}

}  // namespace sono
