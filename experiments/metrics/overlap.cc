#include "experiments/metrics/overlap.h"

#include <cstdint>

#include "core/check.h"

namespace sono {

Overlap measure_overlap(const cv::Mat& prediction, const cv::Mat& reference) {
  check_mask_pair(prediction, reference);
  std::int64_t both = 0, sum = 0;
  for (int y = 0; y < reference.rows; ++y) {
    const std::uint8_t* p = prediction.ptr<std::uint8_t>(y);
    const std::uint8_t* r = reference.ptr<std::uint8_t>(y);
    for (int x = 0; x < reference.cols; ++x) {
      both += (p[x] != 0) & (r[x] != 0);
      sum += (p[x] != 0) + (r[x] != 0);
    }
  }
  if (sum == 0) return {1.0, 1.0};
  return {2.0 * static_cast<double>(both) / static_cast<double>(sum),
          static_cast<double>(both) / static_cast<double>(sum - both)};
}

void check_mask_pair(const cv::Mat& prediction, const cv::Mat& reference) {
  SONO_CHECK_EQ(prediction.type(), CV_8UC1);
  SONO_CHECK_EQ(reference.type(), CV_8UC1);
  SONO_CHECK_EQ(prediction.rows, reference.rows);
  SONO_CHECK_EQ(prediction.cols, reference.cols);
  SONO_CHECK(reference.rows > 0 && reference.cols > 0,
             "the masks have no pixels");
}

}  // namespace sono
