#include "experiments/evaluation/baselines.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/error.h"
#include "experiments/metrics/overlap.h"

namespace sono {
namespace {

cv::Mat with_box(cv::Size size, cv::Rect box) {
  cv::Mat mask = cv::Mat::zeros(size, CV_8UC1);
  mask(box).setTo(255);
  return mask;
}

TEST(BlindEllipse, OfTheTightBoxOfAnUprightEllipseIsThatEllipse) {
  Ellipse ellipse;
  ellipse.center_x = 50;
  ellipse.center_y = 60;
  ellipse.semi_major = 40;
  ellipse.semi_minor = 25;
  ellipse.angle = CV_PI / 2;
  const cv::Size size(100, 120);
  const cv::Mat truth = render_filled(ellipse, size);
  EXPECT_EQ(
      measure_overlap(blind_ellipse({25, 20, 75, 100}, 0, size), truth).dice,
      1);
  EXPECT_EQ(
      measure_overlap(blind_ellipse({18, 13, 82, 107}, 7, size), truth).dice,
      1);
  EXPECT_LT(
      measure_overlap(blind_ellipse({18, 13, 82, 107}, 0, size), truth).dice,
      0.9);
}

TEST(BlindEllipse, OfABoxShrunkToNothingIsEmpty) {
  EXPECT_EQ(cv::countNonZero(blind_ellipse({10, 10, 20, 90}, 5, {100, 100})),
            0);
}

TEST(BlindEllipse, MayReachOverTheImage) {
  const cv::Mat mask = blind_ellipse({-50, -50, 149, 149}, 0, {100, 100});
  EXPECT_EQ(cv::countNonZero(mask), 100 * 100);
}

TEST(MeanMask, KeepsWhatHalfOfTheMasksCover) {
  const cv::Size size(256, 256);
  const std::vector<cv::Mat> masks{with_box(size, {0, 0, 128, 256}),
                                   with_box(size, {0, 0, 64, 256}),
                                   with_box(size, {64, 0, 128, 256})};
  const cv::Mat found = mean_mask_prediction(mean_training_mask(masks), size);
  EXPECT_EQ(measure_overlap(found, with_box(size, {0, 0, 128, 256})).dice, 1);
}

TEST(MeanMask, StretchesEveryMaskToTheFrameOfTheTestImage) {
  const std::vector<cv::Mat> masks{with_box({800, 540}, {200, 135, 400, 270}),
                                   with_box({100, 400}, {25, 100, 50, 200})};
  const cv::Mat found =
      mean_mask_prediction(mean_training_mask(masks), {400, 200});
  const cv::Mat expected = with_box({400, 200}, {100, 50, 200, 100});
  EXPECT_GT(measure_overlap(found, expected).dice, 0.98);
}

TEST(MeanMask, NeedsMasks) { EXPECT_THROW(mean_training_mask({}), Error); }

}  // namespace
}  // namespace sono
