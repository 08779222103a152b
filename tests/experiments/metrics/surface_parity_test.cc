// Parity with MONAI, medpy and DeepMind's surface-distance on the masks of
// tests/parity/make_metrics_fixture.py.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

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

void add_ellipse(cv::Mat& mask, int cx, int cy, int a, int b) {
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

cv::Mat make_blobs(Integers& integers, cv::Size size) {
  cv::Mat mask = cv::Mat::zeros(size, CV_8UC1);
  const int num_blobs = 1 + integers.below(3);
  for (int i = 0; i < num_blobs; ++i) {
    const int cx = integers.below(mask.cols), cy = integers.below(mask.rows);
    const int a = integers.below(20), b = integers.below(20);
    add_ellipse(mask, cx, cy, a, b);
  }
  return mask;
}

cv::Mat make_head(Integers& integers, cv::Size size) {
  cv::Mat mask = cv::Mat::zeros(size, CV_8UC1);
  const int dx = integers.below(5) - 2, dy = integers.below(5) - 2;
  const int da = integers.below(5) - 2, db = integers.below(5) - 2;
  add_ellipse(mask, size.width / 2 + dx, size.height / 2 + dy,
              size.width / 3 + da, size.height / 3 + db);
  return mask;
}

std::pair<cv::Mat, cv::Mat> make_pair(int index) {
  Integers integers(static_cast<std::uint64_t>(index) + 1);
  const int height = 24 + integers.below(50), width = 24 + integers.below(50);
  const cv::Size size(width, height);
  const int kind = index % 10;
  const bool near = kind == 3 || kind == 6 || kind == 9;
  const auto make = near ? make_head : make_blobs;
  cv::Mat first = make(integers, size), second = make(integers, size);
  if (kind == 5) second.setTo(0);
  if (kind == 5 && index % 20 == 5) first.setTo(0);
  if (kind == 7) {
    second.setTo(0);
    const int y = integers.below(height), x = integers.below(width);
    second.at<uchar>(y, x) = 1;
  }
  if (kind == 8) first(cv::Rect(0, 0, width / 2, height / 2)).setTo(1);
  return {first, second};
}

// Largest differences from a package, over 1 + its value, by metric.
struct Worst {
  double hd = 0, hd95 = 0, assd = 0, nsd = 0;
};

void update(double& worst, double found, double expected) {
  worst = std::max(worst, std::abs(found - expected) / (1 + expected));
}

// `expected`: hd, hd95, assd and, where the package has it, nsd.
void compare(const SurfaceDistances& found, const nlohmann::json& expected,
             double tolerance, Worst& worst) {
  update(worst.hd, found.hd(), expected[0]);
  update(worst.hd95, found.hd95(), expected[1]);
  update(worst.assd, found.assd(), expected[2]);
  if (expected.size() > 3) {
    update(worst.nsd, found.nsd(tolerance), expected[3]);
  }
}

nlohmann::json fixture() {
  return nlohmann::json::parse(
      read_file(SONO_SOURCE_DIR "/tests/parity/fixtures/metrics.json"));
}

// Of all pairs, with the masks' axes swapped when `wrong_axes`.
Worst worst_of(const std::string& package, bool wrong_axes = false) {
  const auto data = fixture();
  Worst worst;
  int index = 0;
  for (const auto& row : data["pairs"]) {
    const auto [first, second] = make_pair(index);
    const auto& axes = data["spacings_y_x"][index % 4];
    PixelSpacing spacing{axes[1], axes[0]};
    if (wrong_axes) std::swap(spacing.x, spacing.y);
    const auto found =
        measure_surface(first, second, spacing, surface_convention(package));
    EXPECT_EQ(found.has_value(), row.contains(package)) << index;
    if (found && row.contains(package)) {
      compare(*found, row[package], data["tolerances"][index % 3], worst);
    }
    ++index;
  }
  EXPECT_EQ(index, 500);
  return worst;
}

// MONAI computes in 32-bit floats, and the fixture keeps eight digits.
void expect_parity(const std::string& package) {
  SCOPED_TRACE(package);
  const Worst worst = worst_of(package);
  std::cout << package << ": hd " << worst.hd << " hd95 " << worst.hd95
            << " assd " << worst.assd << " nsd " << worst.nsd << "\n";
  EXPECT_LT(worst.hd, 1e-5);
  EXPECT_LT(worst.hd95, 1e-5);
  EXPECT_LT(worst.assd, 1e-5);
  EXPECT_LT(worst.nsd, 1e-6);
  EXPECT_GT(worst_of(package, /*wrong_axes=*/true).assd, 1e-2);
}

TEST(SurfaceParity, EqualsMonai) { expect_parity("monai"); }
TEST(SurfaceParity, EqualsMedpy) { expect_parity("medpy"); }
TEST(SurfaceParity, EqualsDeepMind) { expect_parity("deepmind"); }

TEST(OverlapParity, EqualsMonai) {
  const auto data = fixture();
  int index = 0, num_empty = 0;
  for (const auto& row : data["pairs"]) {
    const auto [first, second] = make_pair(index++);
    ASSERT_EQ(cv::countNonZero(first), row["pixels"][0]);
    ASSERT_EQ(cv::countNonZero(second), row["pixels"][1]);
    const Overlap overlap = measure_overlap(first, second);
    EXPECT_NEAR(overlap.dice, row["overlap"][0], 1e-6);
    EXPECT_NEAR(overlap.iou, row["overlap"][1], 1e-6);
    num_empty += row["pixels"][1] == 0;
  }
  EXPECT_EQ(num_empty, 50);
}

}  // namespace
}  // namespace sono
