#include "trainer/sam_frame.h"

#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>

#include "data/mask.h"

namespace sono {
namespace {

TEST(SamFrame, ScalesTheLongestSideTo256) {
  const SamFrame wide({800, 540});
  EXPECT_EQ(wide.size, cv::Size(256, 173));
  const SamFrame tall({100, 400});
  EXPECT_EQ(tall.size, cv::Size(64, 256));
  const Box box = wide.from_native({100, 50, 400, 300});
  EXPECT_DOUBLE_EQ(box.x0, 32);
  EXPECT_DOUBLE_EQ(box.y1, 96);
  EXPECT_DOUBLE_EQ(wide.whole().y1, 173);
}

TEST(SamFrame, StretchesGreysAndPadsWithZeros) {
  cv::Mat image(100, 200, CV_8UC1, cv::Scalar(60));
  image.colRange(0, 100).setTo(160);
  const at::Tensor frame = frame_image(image);
  ASSERT_EQ(frame.sizes(), (at::IntArrayRef{1, 3, 256, 256}));
  EXPECT_FLOAT_EQ(frame[0][2][10][10].item<float>(), 1.f);
  EXPECT_FLOAT_EQ(frame[0][0][10][250].item<float>(), 0.f);
  EXPECT_FLOAT_EQ(frame.slice(2, 128).abs().max().item<float>(), 0.f);
}

TEST(SamFrame, AFlatImageIsZero) {
  const cv::Mat image(50, 50, CV_8UC1, cv::Scalar(99));
  EXPECT_FLOAT_EQ(frame_image(image).abs().max().item<float>(), 0.f);
}

TEST(SamFrame, AMaskSurvivesTheWayThereAndBack) {
  cv::Mat mask = cv::Mat::zeros(540, 800, CV_8UC1);
  cv::ellipse(mask, {400, 260}, {250, 180}, 20, 0, 360, 255, cv::FILLED);
  const at::Tensor target = frame_target(mask);
  const cv::Mat back = native_mask(target - 0.5, SamFrame(mask.size()));
  const double common = cv::countNonZero(back & mask);
  const double dice =
      2 * common / (cv::countNonZero(back) + cv::countNonZero(mask));
  EXPECT_GT(dice, 0.99);
}

TEST(SamFrame, JitterOnlyGrowsTheBoxInsideTheImage) {
  const SamFrame frame({800, 540});
  bool moved = false;
  for (std::uint64_t i = 0; i < 200; ++i) {
    Random random(make_key("test.jitter", 1, i));
    const Box box = jittered({40, 10, 200, 160}, frame.whole(), random, 19);
    EXPECT_TRUE(box.x0 <= 40 && box.x0 >= 21 && box.y0 <= 10 && box.y0 >= 0);
    EXPECT_TRUE(box.x1 >= 200 && box.x1 <= 219 && box.y1 >= 160);
    EXPECT_LE(box.y1, 173);
    moved |= box.x1 == 219;
  }
  EXPECT_TRUE(moved) << "19 px never drawn in 200";
}

TEST(SamFrame, SquashingBringsBothSidesToTheFrame) {
  const SamFrame frame(cv::Size(800, 540), SamFrame::kSidePx,
                       FrameFit::kSquash);
  EXPECT_EQ(frame.size, cv::Size(256, 256));
  const Box box = frame.from_native({0, 0, 800, 540});
  EXPECT_DOUBLE_EQ(box.x1, 256);
  EXPECT_DOUBLE_EQ(box.y1, 256);
  const Box back = frame.to_native(frame.from_native({30, 50, 400, 333}));
  EXPECT_NEAR(back.x0, 30, 1e-9);
  EXPECT_NEAR(back.y1, 333, 1e-9);
  // Pixels are divided by 255, not stretched between minimum and maximum.
  const cv::Mat grey(540, 800, CV_8UC1, cv::Scalar(51));
  const at::Tensor image = frame_image(grey, FrameFit::kSquash);
  EXPECT_NEAR(image.min().item<double>(), 0.2, 1e-6);
  EXPECT_NEAR(image.max().item<double>(), 0.2, 1e-6);
  EXPECT_EQ(frame_image(grey).max().item<double>(), 0);
}

}  // namespace
}  // namespace sono
