// Parity with MONAI on the masks of tests/parity/make_metrics_fixture.py.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "experiments/metrics/overlap.h"
#include "experiments/metrics/surface.h"

namespace sono {
namespace {

// The fixture script's generator, step for step.
class Integers {
 public:
  explicit Integers(std::uint64_t seed) : state_(seed) {}
  int below(int n) {
    state_ = (state_ * 1103515245 + 12345) % (1ull << 31);
    return static_cast<int>((state_ >> 12) % static_cast<std::uint64_t>(n));
  }

 private:
  std::uint64_t state_;
};

void add_blob(Integers& integers, cv::Mat& mask) {
  const int cx = integers.below(mask.cols), cy = integers.below(mask.rows);
  const int a = integers.below(20), b = integers.below(20);
  if (a == 0 || b == 0) {
    mask.at<uchar>(cy, cx) = 1;
    return;
  }
  for (int y = 0; y < mask.rows; ++y) {
    for (int x = 0; x < mask.cols; ++x) {
      const int dx = (x - cx) * b, dy = (y - cy) * a;
      if (dx * dx + dy * dy <= a * a * b * b) mask.at<uchar>(y, x) = 1;
    }
  }
}

cv::Mat make_mask(Integers& integers, cv::Size size) {
  cv::Mat mask = cv::Mat::zeros(size, CV_8UC1);
  const int num_blobs = 1 + integers.below(3);
  for (int i = 0; i < num_blobs; ++i) add_blob(integers, mask);
  return mask;
}

TEST(SurfaceParity, EqualsMonai) {
  const auto fixture = nlohmann::json::parse(
      read_file(SONO_SOURCE_DIR "/tests/parity/fixtures/metrics.json"));
  ASSERT_EQ(fixture["pairs"].size(), 40u);
  int index = 0;
  for (const auto& expected : fixture["pairs"]) {
    SCOPED_TRACE(index);
    Integers integers(static_cast<std::uint64_t>(++index));
    const int height = 24 + integers.below(50), width = 24 + integers.below(50);
    const cv::Mat first = make_mask(integers, {width, height});
    const cv::Mat second = make_mask(integers, {width, height});
    ASSERT_EQ(cv::countNonZero(first), expected["pixels"][0]);
    ASSERT_EQ(cv::countNonZero(second), expected["pixels"][1]);

    const Overlap overlap = measure_overlap(first, second);
    EXPECT_NEAR(overlap.dice, expected["dice"], 1e-6);
    EXPECT_NEAR(overlap.iou, expected["iou"], 1e-6);
    const PixelSpacing spacing{expected["spacing_y_x"][1],
                               expected["spacing_y_x"][0]};
    const auto distances = measure_surface(first, second, spacing);
    ASSERT_TRUE(distances);
    // MONAI computes in 32-bit floats.
    EXPECT_NEAR(distances->hd, expected["hd"], 1e-5);
    EXPECT_NEAR(distances->hd95, expected["hd95"], 1e-5);
    EXPECT_NEAR(distances->assd, expected["assd"], 1e-5);

    const auto swapped =
        measure_surface(first, second, {spacing.y + 0.1, spacing.x});
    EXPECT_GT(std::abs(swapped->assd - expected["assd"].get<double>()), 1e-5);
  }
}

}  // namespace
}  // namespace sono
