// A copier is found, an honest generator is not.

#include "experiments/image_quality/memorization.h"

#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "core/random.h"

namespace sono {
namespace {

// A blurred-noise "head": smooth, so that turns and zooms keep it alike.
cv::Mat head(std::uint64_t seed) {
  Random random(make_key("test.head", seed));
  cv::Mat noise(88, 128, CV_32FC1), smooth, grey;
  for (int i = 0; i < 88 * 128; ++i) {
    reinterpret_cast<float*>(noise.data)[i] =
        static_cast<float>(random.normal());
  }
  cv::GaussianBlur(noise, smooth, {0, 0}, 5);
  smooth.convertTo(grey, CV_8U, 250, 128);
  return grey;
}

std::vector<cv::Mat> heads(std::uint64_t first, std::uint64_t count) {
  std::vector<cv::Mat> all;
  for (std::uint64_t i = 0; i < count; ++i) all.push_back(head(first + i));
  return all;
}

// What a copying generator makes: mirrored, turned, brighter, with noise.
cv::Mat copy_of(const cv::Mat& image, std::uint64_t seed) {
  cv::Mat made;
  cv::flip(image, made, 1);
  const cv::Mat turn = cv::getRotationMatrix2D({63.5F, 43.5F}, 9, 1.04);
  cv::warpAffine(made, made, turn, image.size());
  made.convertTo(made, CV_8U, 0.8, 20);
  Random random(make_key("test.copy", seed));
  for (int i = 0; i < 88 * 128; ++i) {
    made.data[i] =
        cv::saturate_cast<std::uint8_t>(made.data[i] + 8 * random.normal());
  }
  return made;
}

TEST(Memorization, FindsCopies) {
  const auto training = heads(0, 8);
  auto synthetic = heads(200, 10);
  synthetic[3] = copy_of(training[5], 1);
  synthetic[7] = copy_of(training[0], 2);
  const auto report = search_copies(training, heads(100, 60), synthetic);
  ASSERT_EQ(report.flagged.size(), 10u);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(report.flagged[i], i == 3 || i == 7) << i;
  }
  EXPECT_EQ(report.synthetic[3].image, 5);
  EXPECT_EQ(report.synthetic[7].image, 0);
  EXPECT_LT(report.synthetic[3].ratio(), 0.9);
  EXPECT_NEAR(report.flagged_fraction, 0.2, 1e-12);
}

TEST(Memorization, FindsNoneInOtherHeads) {
  const auto report =
      search_copies(heads(0, 8), heads(100, 60), heads(200, 60));
  EXPECT_LE(report.flagged_fraction, 0.05);
  EXPECT_NEAR(report.nearer_probability, 0.5, 0.12);
  EXPECT_NEAR(report.median_ratio, 1, 0.1);
}

TEST(Memorization, AllCopiesAreNearerThanAnyOther) {
  const auto training = heads(0, 6);
  std::vector<cv::Mat> copies;
  for (std::uint64_t i = 0; i < 6; ++i) {
    copies.push_back(copy_of(training[i], i));
  }
  const auto report = search_copies(training, heads(100, 40), copies);
  EXPECT_EQ(report.flagged_fraction, 1);
  EXPECT_GT(report.nearer_probability, 0.99);
  EXPECT_LT(report.median_ratio, 0.8);
}

TEST(Memorization, AnImageIsAtDistanceZeroFromItself) {
  const auto training = heads(0, 3);
  const TrainingBank bank(training, {});
  const auto found = bank.nearest(training);
  for (std::size_t i = 0; i < 3; ++i) {
    // The square root of fp32's rounding of 1 - correlation.
    EXPECT_LT(found[i].distance, 5e-3);
    EXPECT_EQ(found[i].image, static_cast<std::int64_t>(i));
    EXPECT_GT(found[i].second, 0.5);
  }
}

TEST(Memorization, OneTrainingImageHasNoSecond) {
  const auto training = heads(0, 1);
  const auto report = search_copies(training, heads(100, 40),
                                    {copy_of(training[0], 1), head(200)});
  EXPECT_TRUE(report.flagged[0]);
  EXPECT_FALSE(report.flagged[1]);
}

TEST(Memorization, RefusesWhatCannotBeJudged) {
  EXPECT_THROW(search_copies({}, heads(1, 5), heads(9, 1)), DataError);
  EXPECT_THROW(search_copies(heads(0, 2), heads(1, 1), heads(9, 1)), DataError);
  EXPECT_THROW(search_copies(heads(0, 2), heads(1, 5), {}), DataError);
}

TEST(Memorization, FlatImagesAreLikeNothing) {
  const auto report = search_copies(
      heads(0, 4), heads(100, 10), {cv::Mat(88, 128, CV_8UC1, cv::Scalar(40))});
  EXPECT_NEAR(report.synthetic[0].distance, std::sqrt(2.0), 1e-6);
  EXPECT_FALSE(report.flagged[0]);
}

}  // namespace
}  // namespace sono
