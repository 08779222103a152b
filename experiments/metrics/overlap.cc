#include "experiments/metrics/overlap.h"

#include "core/check.h"

namespace sono {

Overlap measure_overlap(const cv::Mat& prediction, const cv::Mat& reference) {
  check_mask_pair(prediction, reference);
  // The lesser of two pixels is non-zero where both are.
  const int both = cv::countNonZero(cv::min(prediction, reference));
  const int sum = cv::countNonZero(prediction) + cv::countNonZero(reference);
  if (sum == 0) return {1.0, 1.0};
  return {2.0 * both / sum, static_cast<double>(both) / (sum - both)};
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
