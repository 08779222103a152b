#include "experiments/metrics/surface.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/check.h"
#include "experiments/metrics/overlap.h"
#include "experiments/statistics/percentile.h"

namespace sono {
namespace {

// The smallest box that holds every non-zero pixel; empty without any.
// Surfaces and distances are the same inside it as in the whole image.
cv::Rect bounds(const cv::Mat& mask) {
  int left = mask.cols, right = -1, top = mask.rows, bottom = -1;
  for (int y = 0; y < mask.rows; ++y) {
    const std::uint8_t* row = mask.ptr<std::uint8_t>(y);
    for (int x = 0; x < mask.cols; ++x) {
      if (!row[x]) continue;
      left = std::min(left, x);
      right = std::max(right, x);
      top = std::min(top, y);
      bottom = y;
    }
  }
  if (right < 0) return {};
  return {left, top, right - left + 1, bottom - top + 1};
}

// Distance from each point of `from` to the nearest point of `to`.
std::vector<double> directed_distances(const cv::Mat& from, const cv::Mat& to,
                                       PixelSpacing spacing) {
  const cv::Mat squared = squared_distances(to, spacing);
  std::vector<double> distances;
  for (int y = 0; y < from.rows; ++y) {
    for (int x = 0; x < from.cols; ++x) {
      if (from.at<std::uint8_t>(y, x)) {
        distances.push_back(std::sqrt(squared.at<double>(y, x)));
      }
    }
  }
  return distances;
}

double sum(const std::vector<double>& values) {
  double total = 0;
  for (double value : values) total += value;
  return total;
}

}  // namespace

std::optional<SurfaceDistances> measure_surface(const cv::Mat& prediction,
                                                const cv::Mat& reference,
                                                PixelSpacing spacing) {
  check_mask_pair(prediction, reference);
  const cv::Rect p = bounds(prediction), r = bounds(reference);
  if (p.empty() || r.empty()) return std::nullopt;
  const cv::Rect both = p | r;
  const cv::Mat p_surface = mask_surface(prediction(both));
  const cv::Mat r_surface = mask_surface(reference(both));
  std::vector<double> forth = directed_distances(p_surface, r_surface, spacing);
  std::vector<double> back = directed_distances(r_surface, p_surface, spacing);

  SurfaceDistances result;
  result.hd = std::max(*std::max_element(forth.begin(), forth.end()),
                       *std::max_element(back.begin(), back.end()));
  result.assd = (sum(forth) + sum(back)) /
                static_cast<double>(forth.size() + back.size());
  result.hd95 = std::max(percentile(forth, 0.95), percentile(back, 0.95));
  return result;
}

cv::Mat mask_surface(const cv::Mat& mask) {
  SONO_CHECK_EQ(mask.type(), CV_8UC1);
  cv::Mat surface = cv::Mat::zeros(mask.size(), CV_8UC1);
  const auto inside = [&](int y, int x) {
    return y >= 0 && x >= 0 && y < mask.rows && x < mask.cols &&
           mask.at<std::uint8_t>(y, x) != 0;
  };
  for (int y = 0; y < mask.rows; ++y) {
    for (int x = 0; x < mask.cols; ++x) {
      const bool interior = inside(y - 1, x) && inside(y + 1, x) &&
                            inside(y, x - 1) && inside(y, x + 1);
      if (inside(y, x) && !interior) surface.at<std::uint8_t>(y, x) = 255;
    }
  }
  return surface;
}

}  // namespace sono
