#include "experiments/tensor_picture.h"

#include <cstring>

namespace sono {
namespace {

// uint8 [H, W, C] or [H, W]
cv::Mat to_mat(const at::Tensor& values, int type) {
  const at::Tensor bytes =
      (values * 255).round().clamp(0, 255).to(at::kByte).contiguous();
  cv::Mat picture(static_cast<int>(bytes.size(0)),
                  static_cast<int>(bytes.size(1)), type);
  std::memcpy(picture.data, bytes.const_data_ptr(), bytes.nbytes());
  return picture;
}

}  // namespace

cv::Mat to_grey(const at::Tensor& plane) { return to_mat(plane, CV_8UC1); }

cv::Mat to_rgb(const at::Tensor& image) {
  return to_mat(image.permute({1, 2, 0}), CV_8UC3);
}

}  // namespace sono
