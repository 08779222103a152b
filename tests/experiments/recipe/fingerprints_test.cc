#include "experiments/leaks/fingerprints.h"

#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>
#include <vector>

#include "experiments/arm_images.h"

namespace sono {
namespace {

cv::Mat phantom(std::uint64_t index) {
  return phantom_sample(ExperimentConfig(), 7, index).image;
}

double likeness(const cv::Mat& a, const cv::Mat& b) {
  return pixel_fingerprint(a).dot(pixel_fingerprint(b)).item<float>();
}

cv::Mat moved(const cv::Mat& image, double dx, double dy) {
  cv::Mat result;
  const cv::Mat shift = (cv::Mat_<double>(2, 3) << 1, 0, dx, 0, 1, dy);
  cv::warpAffine(image, result, shift, image.size());
  return result;
}

TEST(PixelFingerprint, SeesThroughGainSizeAndSmallMoves) {
  const cv::Mat image = phantom(0);
  cv::Mat brighter, smaller;
  image.convertTo(brighter, CV_8U, 0.8, 20);
  cv::resize(image, smaller, {}, 0.5, 0.5, cv::INTER_AREA);
  EXPECT_GT(likeness(image, brighter), 0.99);
  EXPECT_GT(likeness(image, smaller), 0.99);
  EXPECT_GT(likeness(image, moved(image, 5, 3)), kPixelLimit);
}

TEST(PixelFingerprint, TellsHeadsApart) {
  for (std::uint64_t i = 1; i < 12; ++i) {
    EXPECT_LT(likeness(phantom(0), phantom(i)), kPixelLimit) << i;
  }
}

TEST(PixelFingerprint, OfAConstantImageIsLikeNothing) {
  const cv::Mat grey(540, 800, CV_8UC1, cv::Scalar(80));
  EXPECT_NEAR(likeness(grey, grey), 0, 1e-6);
}

TEST(CompareSides, FindsTheCopyAndOnlyIt) {
  const at::Tensor pixels =
      at::stack({pixel_fingerprint(phantom(0)), pixel_fingerprint(phantom(1)),
                 pixel_fingerprint(phantom(2)),
                 pixel_fingerprint(moved(phantom(1), 4, 2))});
  const at::Tensor embeddings = at::zeros({4, 3});
  const Likeness found = compare_sides(pixels, embeddings, 2);
  ASSERT_EQ(found.pairs.size(), 1u);
  EXPECT_EQ(found.pairs[0].train, 1u);
  EXPECT_EQ(found.pairs[0].test, 1u);
  EXPECT_NEAR(found.pairs[0].pixels, found.largest_pixels, 1e-6);
}

TEST(CompareSides, FindsACopyByItsEmbeddingAlone) {
  const std::vector<float> values{9, 1, 1, 1, 9, 2, 1, 1, 7, 9, 1.05, 1};
  const at::Tensor rows = at::tensor(values).view({4, 3});
  const Likeness found = compare_sides(at::zeros({4, 5}), center_rows(rows), 2);
  ASSERT_EQ(found.pairs.size(), 1u);
  EXPECT_EQ(found.pairs[0].train, 0u);
  EXPECT_EQ(found.pairs[0].test, 1u);
  EXPECT_GT(found.pairs[0].embedding, kEmbeddingLimit);
}

TEST(CompareSides, WithOneSideEmptyFindsNothing) {
  const at::Tensor rows = at::ones({2, 3});
  EXPECT_TRUE(compare_sides(rows, rows, 0).pairs.empty());
  EXPECT_TRUE(compare_sides(rows, rows, 2).pairs.empty());
}

TEST(CenterRows, OfEqualRowsAreZero) {
  EXPECT_EQ(center_rows(at::ones({3, 4})).abs().sum().item<float>(), 0);
}

}  // namespace
}  // namespace sono
