// The steps of augmentation against albumentations, every number given;
// tests/parity/augment.py writes the fixture.

#include "data/augment_steps.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/augment.h"
#include "data/mask.h"

namespace sono {
namespace {

constexpr int kHeight = 30;
constexpr int kWidth = 40;

// -1 .. 1 by a hash, as tests/parity/scattered.py makes them.
cv::Mat scattered(const std::string& name) {
  std::uint32_t seed = 2166136261u;
  for (const char c : name) {
    seed = (seed ^ static_cast<std::uint8_t>(c)) * 16777619u;
  }
  cv::Mat values(kHeight, kWidth, CV_32FC1);
  for (int i = 0; i < kHeight * kWidth; ++i) {
    std::uint32_t x = static_cast<std::uint32_t>(i) + seed;
    for (const std::uint32_t factor : {2654435761u, 73244475u, 73244475u}) {
      x *= factor;
      x ^= x >> 16;
    }
    values.ptr<float>()[i] = static_cast<float>(x / 2147483648.0 - 1);
  }
  return values;
}

class AugmentStepsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ifstream in(std::string(SONO_SOURCE_DIR) +
                     "/tests/parity/fixtures/augment.json");
    fixture_ = nlohmann::json::parse(in);
    sample_ = peer("original");
  }

  Sample peer(const std::string& name) const {
    const std::string hex = fixture_.at(name).at(0);
    const std::string inside = fixture_.at(name).at(1);
    Sample sample;
    sample.image.create(kHeight, kWidth, CV_8UC1);
    sample.mask.create(kHeight, kWidth, CV_8UC1);
    for (std::size_t i = 0; i < inside.size(); ++i) {
      sample.image.data[i] = static_cast<std::uint8_t>(
          std::stoi(hex.substr(2 * i, 2), nullptr, 16));
      sample.mask.data[i] = inside[i] == '1' ? 255 : 0;
    }
    return sample;
  }

  // Warps: the peer's fixtures come from OpenCV 5, which interpolates exactly;
  // before, OpenCV rounds places to 1/32 px.
  static constexpr double kWarpLevels = 3;
  static constexpr int kWarpMaskPixels = 2;

  void expect_peers(const std::string& name, double grey_levels = 1,
                    int mask_pixels = 0) {
    const Sample expected = peer(name);
    EXPECT_LE(cv::norm(sample_.image, expected.image, cv::NORM_INF),
              grey_levels)
        << name;
    EXPECT_LE(cv::countNonZero(sample_.mask != expected.mask), mask_pixels)
        << name;
    // The comparison can fail: the untouched sample is another.
    if (name != "original") {
      EXPECT_GT(cv::norm(peer("original").image, expected.image, cv::NORM_INF),
                kWarpLevels)
          << name;
    }
  }

  nlohmann::json fixture_;
  Sample sample_;
};

TEST_F(AugmentStepsTest, RotationIsAlbumentations) {
  rotate(sample_, 15);
  expect_peers("rotate 15", kWarpLevels, kWarpMaskPixels);
  sample_ = peer("original");
  rotate(sample_, -45);
  expect_peers("rotate -45", kWarpLevels, kWarpMaskPixels);
  sample_ = peer("original");
  rotate(sample_, 20);
  EXPECT_GT(cv::countNonZero(sample_.mask != peer("rotate 15").mask),
            kWarpMaskPixels);
}

TEST_F(AugmentStepsTest, FlipsAreAlbumentations) {
  flip(sample_, /*across=*/true);
  expect_peers("flip x", 0);
  sample_ = peer("original");
  flip(sample_, /*across=*/false);
  expect_peers("flip y", 0);
}

TEST_F(AugmentStepsTest, BrightnessIsAlbumentations) {
  change_brightness(sample_, 1 - 0.15, 0.1);
  expect_peers("brightness");
}

TEST_F(AugmentStepsTest, BlurIsAlbumentations) {
  blur(sample_);
  expect_peers("blur");
}

TEST_F(AugmentStepsTest, ElasticWarpOfAGivenFieldIsAlbumentations) {
  displace(sample_, 3 * scattered("dx"), 3 * scattered("dy"));
  expect_peers("elastic", kWarpLevels, kWarpMaskPixels);
}

TEST_F(AugmentStepsTest, DroppedPatchesAreAlbumentations) {
  drop_patches(sample_, {{5, 6, 7, 5}, {24, 15, 10, 13}});
  expect_peers("dropout", 0);
}

// A box is right only behind the augmentation.
TEST_F(AugmentStepsTest, TheBoxOfARotatedMaskIsAnother) {
  const Box before = tight_box(sample_.mask);
  rotate(sample_, 45);
  const Box after = tight_box(sample_.mask);
  EXPECT_GT(std::abs(before.x0 - after.x0) + std::abs(before.y0 - after.y0), 1);
}

}  // namespace
}  // namespace sono
