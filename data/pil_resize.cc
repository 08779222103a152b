#include "data/pil_resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/check.h"

namespace sono {
namespace {

constexpr int kPrecisionBits = 22;

// What one output pixel is made of: `weights` from input pixel `first` on.
struct Taps {
  int first;
  std::vector<std::int32_t> weights;  // fixed point
};

std::int32_t to_fixed(double weight) {
  return static_cast<std::int32_t>(0.5 + weight * (1 << kPrecisionBits));
}

std::vector<Taps> triangle_taps(int input, int output) {
  const double scale = static_cast<double>(input) / output;
  const double support = std::max(scale, 1.0);
  std::vector<Taps> all;
  for (int i = 0; i < output; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - support + 0.5));
    const int last = std::min(input, static_cast<int>(center + support + 0.5));
    std::vector<double> weights;
    double sum = 0;
    for (int x = first; x < last; ++x) {
      const double distance = std::abs((x - center + 0.5) * (1.0 / support));
      weights.push_back(distance < 1.0 ? 1.0 - distance : 0.0);
      sum += weights.back();
    }
    Taps taps{first, {}};
    for (const double weight : weights) {
      taps.weights.push_back(to_fixed(sum == 0 ? weight : weight / sum));
    }
    all.push_back(std::move(taps));
  }
  return all;
}

std::uint8_t rounded(std::int32_t fixed) {
  return static_cast<std::uint8_t>(std::clamp(fixed >> kPrecisionBits, 0, 255));
}

constexpr std::int32_t kHalf = 1 << (kPrecisionBits - 1);

cv::Mat resize_across(const cv::Mat& image, int width) {
  const int channels = image.channels();
  const std::vector<Taps> taps = triangle_taps(image.cols, width);
  cv::Mat out(image.rows, width, image.type());
  for (int y = 0; y < image.rows; ++y) {
    const std::uint8_t* from = image.ptr(y);
    std::uint8_t* to = out.ptr(y);
    for (const Taps& tap : taps) {
      for (int c = 0; c < channels; ++c) {
        std::int32_t sum = kHalf;
        const std::uint8_t* pixel = from + tap.first * channels + c;
        for (const std::int32_t weight : tap.weights) {
          sum += *pixel * weight;
          pixel += channels;
        }
        *to++ = rounded(sum);
      }
    }
  }
  return out;
}

cv::Mat resize_down(const cv::Mat& image, int height) {
  const std::vector<Taps> taps = triangle_taps(image.rows, height);
  const auto row_size = static_cast<std::size_t>(image.cols * image.channels());
  cv::Mat out(height, image.cols, image.type());
  std::vector<std::int32_t> sums(row_size);
  for (int y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), kHalf);
    int from = taps[static_cast<std::size_t>(y)].first;
    for (const std::int32_t weight :
         taps[static_cast<std::size_t>(y)].weights) {
      const std::uint8_t* row = image.ptr(from++);
      for (std::size_t i = 0; i < row_size; ++i) sums[i] += row[i] * weight;
    }
    std::transform(sums.begin(), sums.end(), out.ptr(y), rounded);
  }
  return out;
}

}  // namespace

cv::Mat resize_as_pil(const cv::Mat& image, cv::Size size) {
  SONO_CHECK(!image.empty() && image.depth() == CV_8U && size.width > 0 &&
                 size.height > 0,
             "cannot resize OpenCV type " << image.type() << " to "
                                          << size.width << "x" << size.height);
  cv::Mat out = image;
  if (size.width != image.cols) out = resize_across(out, size.width);
  if (size.height != image.rows) out = resize_down(out, size.height);
  return out.data == image.data ? image.clone() : out;
}

}  // namespace sono
