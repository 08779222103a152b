#include "experiments/evaluation/baselines.h"

#include <opencv2/imgproc.hpp>

#include "core/check.h"

namespace sono {

cv::Mat blind_ellipse(const Box& prompt_box, double mean_jitter_px,
                      cv::Size size) {
  Ellipse ellipse;
  ellipse.center_x = (prompt_box.x0 + prompt_box.x1) / 2;
  ellipse.center_y = (prompt_box.y0 + prompt_box.y1) / 2;
  const double half_width =
      (prompt_box.x1 - prompt_box.x0) / 2 - mean_jitter_px;
  const double half_height =
      (prompt_box.y1 - prompt_box.y0) / 2 - mean_jitter_px;
  if (half_width <= 0 || half_height <= 0) return cv::Mat::zeros(size, CV_8UC1);
  ellipse.semi_major = std::max(half_width, half_height);
  ellipse.semi_minor = std::min(half_width, half_height);
  ellipse.angle = half_width >= half_height ? 0 : CV_PI / 2;
  return render_filled(ellipse, size);
}

cv::Mat mean_training_mask(std::span<const cv::Mat> masks) {
  SONO_CHECK(!masks.empty(), "the mean of no masks");
  const cv::Size frame(kMeanMaskSide, kMeanMaskSide);
  cv::Mat sum = cv::Mat::zeros(frame, CV_32FC1);
  for (const cv::Mat& mask : masks) {
    SONO_CHECK_EQ(mask.type(), CV_8UC1);
    cv::Mat inside, resized;
    cv::Mat(mask != 0).convertTo(inside, CV_32FC1, 1.0 / 255);
    cv::resize(inside, resized, frame, 0, 0, cv::INTER_AREA);
    sum += resized;
  }
  return sum / static_cast<double>(masks.size());
}

cv::Mat mean_mask_prediction(const cv::Mat& mean_mask, cv::Size size) {
  SONO_CHECK_EQ(mean_mask.type(), CV_32FC1);
  cv::Mat resized;
  cv::resize(mean_mask, resized, size, 0, 0, cv::INTER_LINEAR);
  return resized >= 0.5;
}

}  // namespace sono
