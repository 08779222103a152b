#include "data/augment.h"

#include <cmath>
#include <opencv2/imgproc.hpp>

#include "tests/data/cohort/fixture.h"

namespace sono {
namespace {

Sample test_sample() {
  Sample sample;
  sample.id = "000_HC";
  sample.spacing_x_mm = sample.spacing_y_mm = 0.1;
  sample.image = test_picture(0);
  sample.mask = render_filled(test_head(), test_size());
  sample.hc_reference_mm = circumference_mm(test_head(), 0.1, 0.1);
  return sample;
}

using Augment = Sample (*)(const Sample&, Random&);

class AugmentTest : public ::testing::TestWithParam<Augment> {};

TEST_P(AugmentTest, SameKeySameBytesAndTheInputStays) {
  const Sample input = test_sample();
  Random first(make_key("augment", 1, 2, 3));
  Random again(make_key("augment", 1, 2, 3));
  Random other(make_key("augment", 1, 2, 4));
  const Sample a = GetParam()(input, first);
  const Sample b = GetParam()(input, again);
  const Sample c = GetParam()(input, other);
  EXPECT_EQ(cv::norm(a.image, b.image, cv::NORM_INF), 0);
  EXPECT_EQ(cv::norm(a.mask, b.mask, cv::NORM_INF), 0);
  EXPECT_GT(cv::norm(a.image, c.image, cv::NORM_INF), 0);
  EXPECT_EQ(cv::norm(input.image, test_picture(0), cv::NORM_INF), 0);
}

TEST_P(AugmentTest, MaskStaysBinaryAndTheSizeStays) {
  for (int epoch = 0; epoch < 20; ++epoch) {
    Random random(make_key("augment", 1, 0, epoch));
    const Sample out = GetParam()(test_sample(), random);
    ASSERT_EQ(out.image.size(), test_size());
    ASSERT_EQ(out.image.type(), CV_8UC1);
    ASSERT_EQ(out.mask.size(), test_size());
    const int head = cv::countNonZero(out.mask == 255);
    EXPECT_EQ(head, cv::countNonZero(out.mask));
    EXPECT_GT(head, 2000);
  }
}

TEST_P(AugmentTest, WorksWithoutMask) {
  Sample input = test_sample();
  input.mask = cv::Mat();
  Random random(make_key("augment", 1));
  EXPECT_TRUE(GetParam()(input, random).mask.empty());
}

INSTANTIATE_TEST_SUITE_P(All, AugmentTest,
                         ::testing::Values(us_augment, weak_augment,
                                           strong_augment));

TEST(UsAugment, TheReferenceFollowsTheWarpedHead) {
  for (int epoch = 0; epoch < 20; ++epoch) {
    Random random(make_key("augment", 9, 0, epoch));
    const Sample out = us_augment(test_sample(), random);
    const auto ellipse = fit_ellipse(out.mask);
    ASSERT_TRUE(ellipse);
    EXPECT_NEAR(circumference_mm(*ellipse, 0.1, 0.1) / out.hc_reference_mm, 1,
                0.015);
    const double ratio = ellipse->semi_minor / ellipse->semi_major;
    EXPECT_GT(ratio, 0.66);
    EXPECT_LT(ratio, 0.90);
  }
}

TEST(UsAugment, TheImageMovesWithTheMask) {
  Sample input = test_sample();
  input.image = input.mask * 0.6;
  for (int epoch = 0; epoch < 10; ++epoch) {
    Random random(make_key("augment", 4, 0, epoch));
    const Sample out = us_augment(input, random);
    cv::Mat eroded, dilated;
    const cv::Mat kernel = cv::Mat::ones(5, 5, CV_8UC1);
    cv::erode(out.mask, eroded, kernel);
    cv::dilate(out.mask, dilated, kernel);
    EXPECT_EQ(cv::countNonZero(out.image & ~dilated), 0);
    EXPECT_GT(cv::mean(out.image, eroded)[0], 50);
  }
}

}  // namespace
}  // namespace sono
