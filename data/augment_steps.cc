#include "data/augment_steps.h"

#include <opencv2/imgproc.hpp>

namespace sono {
namespace {

// Replaces the image, and the mask where there is one, by what `change` makes
// of it with the given interpolation.
template <class Change>
void move_pixels(Sample& sample, const Change& change) {
  cv::Mat image;
  change(sample.image, image, cv::INTER_LINEAR);
  sample.image = image;
  if (sample.mask.empty()) return;
  cv::Mat mask;
  change(sample.mask, mask, cv::INTER_NEAREST);
  sample.mask = mask;
}

}  // namespace

void flip(Sample& sample, bool across) {
  move_pixels(sample, [&](const cv::Mat& from, cv::Mat& to, int) {
    cv::flip(from, to, across ? 1 : 0);
  });
}

void rotate(Sample& sample, double degrees) {
  const cv::Point2f middle((sample.image.cols - 1) / 2.0f,
                           (sample.image.rows - 1) / 2.0f);
  const cv::Mat map = cv::getRotationMatrix2D(middle, degrees, 1.0);
  move_pixels(sample, [&](const cv::Mat& from, cv::Mat& to, int how) {
    cv::warpAffine(from, to, map, from.size(), how, cv::BORDER_CONSTANT, 0);
  });
}

void change_brightness(Sample& sample, double contrast, double brightness) {
  cv::Mat image;
  sample.image.convertTo(image, CV_8U, contrast, 255 * brightness);
  sample.image = image;
}

void blur(Sample& sample) {
  cv::Mat image;
  cv::GaussianBlur(sample.image, image, {3, 3}, 0);
  sample.image = image;
}

void add_noise(Sample& sample, const cv::Mat& noise) {
  cv::Mat grey;
  sample.image.convertTo(grey, CV_32F);
  grey += noise;
  cv::Mat image;
  grey.convertTo(image, CV_8U);
  sample.image = image;
}

void displace(Sample& sample, const cv::Mat& dx, const cv::Mat& dy) {
  cv::Mat x = dx.clone(), y = dy.clone();
  for (int row = 0; row < x.rows; ++row) {
    for (int column = 0; column < x.cols; ++column) {
      x.at<float>(row, column) += static_cast<float>(column);
      y.at<float>(row, column) += static_cast<float>(row);
    }
  }
  move_pixels(sample, [&](const cv::Mat& from, cv::Mat& to, int how) {
    cv::remap(from, to, x, y, how, cv::BORDER_CONSTANT, 0);
  });
}

void drop_patches(Sample& sample, const std::vector<cv::Rect>& patches) {
  cv::Mat image = sample.image.clone();
  for (const cv::Rect& patch : patches) image(patch).setTo(0);
  sample.image = image;
}

}  // namespace sono
