#include "data/quality_gate.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "core/random.h"
#include "data/cohort.h"
#include "data/ellipse.h"

namespace sono {
namespace {

const cv::Size kFrame(128, 88);
const Ellipse kHead{.center_x = 64,
                    .center_y = 44,
                    .semi_major = 36,
                    .semi_minor = 28,
                    .angle = 0.4};

cv::RotatedRect rotated(const Ellipse& e) {
  return {cv::Point2f(static_cast<float>(e.center_x),
                      static_cast<float>(e.center_y)),
          cv::Size2f(static_cast<float>(2 * e.semi_major),
                     static_cast<float>(2 * e.semi_minor)),
          static_cast<float>(e.angle * 180 / CV_PI)};
}

cv::Mat drawn_outline(const Ellipse& ellipse, int thickness = 2) {
  cv::Mat outline = cv::Mat::zeros(kFrame, CV_8UC1);
  cv::ellipse(outline, rotated(ellipse), 255, thickness);
  return outline;
}

// Noisy tissue with a bright skull along the ellipse.
cv::Mat head_image(const Ellipse& ellipse) {
  cv::Mat image(kFrame, CV_8UC1);
  Random random(make_key("test.gate", 1));
  for (int y = 0; y < image.rows; ++y) {
    for (int x = 0; x < image.cols; ++x) {
      image.at<std::uint8_t>(y, x) =
          static_cast<std::uint8_t>(30 + random.below(40));
    }
  }
  cv::ellipse(image, rotated(ellipse), 200, 2);
  return image;
}

GateVerdict outline_verdict(const cv::Mat& outline) {
  cv::Mat filled;
  const auto verdict = judge_outline(head_image(kHead), outline, {}, &filled);
  EXPECT_EQ(filled.empty(), !verdict.accepted);
  return verdict;
}

TEST(QualityGate, GoodOutlineIsAcceptedAndFilled) {
  cv::Mat filled;
  const auto verdict =
      judge_outline(head_image(kHead), drawn_outline(kHead), {}, &filled);
  EXPECT_TRUE(verdict.accepted) << verdict.reason;
  EXPECT_GT(verdict.closure, 0.98);
  EXPECT_LT(verdict.residual_px, 1.5);
  EXPECT_NEAR(verdict.axis_ratio, 28.0 / 36, 0.02);
  EXPECT_NEAR(verdict.area_fraction, CV_PI * 36 * 28 / (128 * 88), 0.02);
  EXPECT_GT(verdict.skull_contrast, 50);
  const cv::Mat truth = render_filled(kHead, kFrame);
  EXPECT_LT(cv::countNonZero(truth != filled), 0.05 * cv::countNonZero(truth));
}

TEST(QualityGate, EachDefectHasItsReason) {
  EXPECT_EQ(outline_verdict(cv::Mat::zeros(kFrame, CV_8UC1)).reason,
            "no outline");
  cv::Mat half = drawn_outline(kHead);
  half.colRange(0, 60).setTo(0);
  EXPECT_NE(outline_verdict(half).reason.find("closure"), std::string::npos);
  Ellipse flat = kHead;
  flat.semi_minor = 16;
  EXPECT_NE(outline_verdict(drawn_outline(flat)).reason.find("axis ratio"),
            std::string::npos);
  Ellipse tiny = kHead;
  tiny.semi_major = 8;
  tiny.semi_minor = 7;
  EXPECT_NE(outline_verdict(drawn_outline(tiny)).reason.find("area"),
            std::string::npos);
  Ellipse outside = kHead;
  outside.center_x = 110;
  EXPECT_NE(outline_verdict(drawn_outline(outside)).reason.find("in frame"),
            std::string::npos);
  EXPECT_NE(
      outline_verdict(drawn_outline(kHead, cv::FILLED)).reason.find("residual"),
      std::string::npos);
  Ellipse elsewhere = kHead;
  elsewhere.semi_major = 26;
  elsewhere.semi_minor = 21;
  EXPECT_NE(outline_verdict(drawn_outline(elsewhere)).reason.find("skull"),
            std::string::npos);
}

TEST(QualityGate, SpecksDoNotSpoilAnOutline) {
  cv::Mat outline = drawn_outline(kHead);
  outline.at<std::uint8_t>(3, 3) = 255;
  outline.at<std::uint8_t>(80, 120) = 255;
  EXPECT_TRUE(outline_verdict(outline).accepted);
}

TEST(QualityGate, PairNeedsSkullUnderTheLabel) {
  const cv::Mat image = head_image(kHead);
  EXPECT_TRUE(judge_pair(image, render_filled(kHead, kFrame), {}).accepted);
  Ellipse moved = kHead;
  moved.center_x += 8;
  const auto verdict = judge_pair(image, render_filled(moved, kFrame), {});
  EXPECT_FALSE(verdict.accepted);
  EXPECT_NE(verdict.reason.find("skull"), std::string::npos) << verdict.reason;
  EXPECT_FALSE(judge_pair(image, cv::Mat::zeros(kFrame, CV_8UC1), {}).accepted);
}

TEST(QualityGate, DarkImageHasNoSkull) {
  const cv::Mat dark = cv::Mat::zeros(kFrame, CV_8UC1);
  EXPECT_EQ(judge_pair(dark, render_filled(kHead, kFrame), {}).skull_fraction,
            0);
}

TEST(QualityGate, NoiseHasNoSkull) {
  int accepted = 0;
  for (std::uint64_t i = 0; i < 200; ++i) {
    Random random(make_key("test.noise", i));
    cv::Mat noise(kFrame, CV_8UC1);
    for (int y = 0; y < noise.rows; ++y) {
      for (int x = 0; x < noise.cols; ++x) {
        noise.at<std::uint8_t>(y, x) =
            cv::saturate_cast<std::uint8_t>(60 + 50 * random.normal());
      }
    }
    accepted += judge_pair(noise, render_filled(kHead, kFrame), {}).accepted;
  }
  EXPECT_LE(accepted, 2);
}

TEST(QualityGate, SizesMustAgreeAndLimitsBeInRange) {
  EXPECT_THROW(judge_pair(head_image(kHead), cv::Mat::zeros(4, 4, CV_8UC1), {}),
               Error);
  GateConfig config;
  config.min_closure = 2;
  EXPECT_THROW(config.validate(), ConfigError);
}

std::filesystem::path data_folder() {
  if (const char* folder = std::getenv("SONO_DATA")) return folder;
  return std::filesystem::path(SONO_SOURCE_DIR) / ".." / "shared" / "data";
}

TEST(QualityGate, RealHeadsPassAndShuffledMasksFail) {
  const auto folder = data_folder() / "hc18";
  if (!std::filesystem::exists(folder)) {
    GTEST_SKIP() << "no HC18 in " << folder << "; set SONO_DATA";
  }
  const Cohort cohort = open_cohort("hc18", folder);
  std::vector<cv::Mat> images, masks;
  const std::size_t step = 3;  // every third, for speed
  for (std::size_t i = 0; i < cohort.size(); i += step) {
    const Sample sample = cohort.load(i);
    cv::Mat image, mask;
    cv::resize(sample.image, image, kFrame, 0, 0, cv::INTER_AREA);
    cv::resize(sample.mask, mask, kFrame, 0, 0, cv::INTER_AREA);
    images.push_back(image);
    masks.push_back(mask > 127);
  }
  double passed = 0, passed_shuffled = 0;
  std::vector<double> significances;
  const std::size_t num = images.size();
  for (std::size_t i = 0; i < num; ++i) {
    const auto verdict = judge_pair(images[i], masks[i], {});
    passed += verdict.accepted;
    significances.push_back(verdict.skull_significance);
    if (!verdict.accepted) {
      std::printf("%s: %s\n", cohort.info(i * step).id.c_str(),
                  verdict.reason.c_str());
    }
    passed_shuffled +=
        judge_pair(images[i], masks[(i + num / 2) % num], {}).accepted;
  }
  std::printf("real pairs passed: %.1f %%, with another's mask: %.1f %%\n",
              100 * passed / static_cast<double>(num),
              100 * passed_shuffled / static_cast<double>(num));
  std::sort(significances.begin(), significances.end());
  std::printf("skull significance, lowest tenth: %.1f, median %.1f\n",
              significances[num / 10], significances[num / 2]);
  EXPECT_GE(passed, 0.95 * static_cast<double>(num));
  EXPECT_LE(passed_shuffled, 0.05 * static_cast<double>(num));
}

}  // namespace
}  // namespace sono
