// Distances and likenesses against torchmetrics, clean-fid and prdc
// (tests/parity/image_quality.py).

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "experiments/image_quality/distribution_distance.h"
#include "experiments/image_quality/structural_similarity.h"
#include "models/io/safetensors.h"

namespace sono {
namespace {

// Both sides compute in fp64.
constexpr double kTolerance = 1e-6;

// The fixture's features, by the same formula.
at::Tensor features(std::int64_t count, std::int64_t width, double shift,
                    double seed) {
  const at::Tensor i = at::arange(count, at::kDouble).unsqueeze(1);
  const at::Tensor j = at::arange(width, at::kDouble).unsqueeze(0);
  const at::Tensor noise =
      at::frac(at::sin(i * 12.9898 + j * 78.233 + seed) * 43758.5453);
  return noise + 0.5 * at::sin(i * 0.7 + 0.1 * j) + shift;
}

at::Tensor image(std::int64_t height, std::int64_t width, double phase) {
  const at::Tensor y = at::arange(height, at::kDouble).unsqueeze(1);
  const at::Tensor x = at::arange(width, at::kDouble).unsqueeze(0);
  const at::Tensor wave = at::sin(x * 0.13 + phase) * at::cos(y * 0.21 - phase);
  return ((wave + at::sin(x * y * 0.01) + 2) * 63.75).unsqueeze(0).unsqueeze(0);
}

class DistanceParity : public testing::Test {
 protected:
  double wanted(const std::string& name) const {
    return fixture.at(name).item<double>();
  }
  static double error(double value, double reference) {
    return std::abs(value - reference) / std::max(1e-3, std::abs(reference));
  }
  StateDict fixture = load_safetensors(
      SONO_SOURCE_DIR "/tests/parity/fixtures/image_quality.safetensors");
  at::Tensor many = features(90, 16, 0, 1), many_made = features(83, 16, .2, 2);
  at::Tensor few = features(20, 48, 0, 1), few_made = features(13, 48, .2, 2);
};

TEST_F(DistanceParity, FrechetEqualsTorchmetricsAndCleanFid) {
  const double many_fid = frechet_distance(many, many_made);
  EXPECT_LT(error(many_fid, wanted("many/frechet")), kTolerance);
  EXPECT_LT(error(many_fid, wanted("many/frechet_clean_fid")), kTolerance);
  // Fewer images than dimensions: the peers take roots of rounding errors.
  const double few_fid = frechet_distance(few, few_made, /*allow_few=*/true);
  EXPECT_LT(error(few_fid, wanted("few/frechet")), 1e-5);
  std::printf("check 19: FID %.2e, N < d %.2e (relative)\n",
              error(many_fid, wanted("many/frechet")),
              error(few_fid, wanted("few/frechet")));
}

TEST_F(DistanceParity, FrechetRefusesFewerImagesThanDimensions) {
  EXPECT_THROW(frechet_distance(few, few_made), ConfigError);
  EXPECT_NEAR(frechet_distance(few, few, true), 0, 1e-9);
}

TEST_F(DistanceParity, BothWaysToTheRootAgree) {
  // 90 rows of 16 columns go by QR; the transposed shapes by singular values.
  const at::Tensor wide = at::cat({many, at::zeros({90, 80}, at::kDouble)}, 1);
  const at::Tensor wide_made =
      at::cat({many_made, at::zeros({83, 80}, at::kDouble)}, 1);
  EXPECT_NEAR(frechet_distance(wide, wide_made, true),
              frechet_distance(many, many_made), 1e-9);
}

TEST_F(DistanceParity, KernelDistanceEqualsTorchmetricsOnGivenSubsets) {
  const at::Tensor rows = at::arange(13);
  const auto kid = [&](const at::Tensor& a, const at::Tensor& b) {
    return kernel_distance_of_subsets(a, b, {{rows, rows}}).mean;
  };
  EXPECT_LT(error(kid(many, many_made), wanted("many/kernel")), 1e-9);
  EXPECT_LT(error(kid(few, few_made), wanted("few/kernel")), 1e-9);
  const at::Tensor first = at::arange(30);
  EXPECT_LT(error(kernel_distance_of_subsets(features(40, 16, 0, 1),
                                             features(40, 16, .2, 2),
                                             {{first, first}})
                      .mean,
                  wanted("kernel_clean_fid")),
            1e-9);
}

TEST_F(DistanceParity, ManifoldEqualsPrdc) {
  const auto check = [&](const at::Tensor& a, const at::Tensor& b,
                         const std::string& name) {
    const Manifold m = manifold_measures(a, b);
    const at::Tensor mine =
        at::tensor({m.precision, m.recall, m.density, m.coverage}, at::kDouble);
    EXPECT_TRUE(at::allclose(mine, fixture.at(name + "/manifold"), 1e-12))
        << mine << fixture.at(name + "/manifold");
  };
  check(many, many_made, "many");
  check(few, few_made, "few");
  const Manifold other = manifold_measures(many, many_made, 4);
  EXPECT_NE(other.density, fixture.at("many/manifold")[2].item<double>());
}

TEST_F(DistanceParity, LikenessEqualsTorchmetrics) {
  const at::Tensor a = image(180, 176, 0.3), b = image(180, 176, 0.5);
  EXPECT_NEAR(structural_similarity(a, b).item<double>(), wanted("ssim"),
              kTolerance);
  EXPECT_NEAR(multiscale_similarity(a, b).item<double>(), wanted("ms_ssim"),
              kTolerance);
  EXPECT_NEAR(peak_signal_to_noise(a, b).item<double>(), wanted("psnr"), 1e-4);
  EXPECT_NEAR(structural_similarity(a, a).item<double>(), 1, 1e-12);
  const at::Tensor small = image(175, 300, 0.3);
  EXPECT_THROW(multiscale_similarity(small, small), DataError);
}

TEST_F(DistanceParity, AnotherShiftShows) {
  const at::Tensor moved = many_made + 0.01;
  EXPECT_GT(error(frechet_distance(many, moved), wanted("many/frechet")), 1e-3);
  const at::Tensor rows = at::arange(13);
  EXPECT_GT(error(kernel_distance_of_subsets(many, moved, {{rows, rows}}).mean,
                  wanted("many/kernel")),
            1e-3);
}

}  // namespace
}  // namespace sono
