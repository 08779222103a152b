#include "experiments/image_quality/structural_similarity.h"

#include <array>
#include <string>

#include "core/check.h"

namespace sono {
namespace {

constexpr std::int64_t kWindowPx = 11;
constexpr std::int64_t kMarginPx = (kWindowPx - 1) / 2;
constexpr double kDeviationPx = 1.5;
constexpr std::array<double, 5> kScaleWeights = {0.0448, 0.2856, 0.3001, 0.2363,
                                                 0.1333};
// Four halvings leave fewer pixels than the window has.
constexpr std::int64_t kTooSmallForScalesPx = 175;

void check_pair(const at::Tensor& a, const at::Tensor& b, std::int64_t above) {
  SONO_CHECK(a.dim() == 4 && a.size(1) == 1 && a.sizes() == b.sizes(),
             a.sizes() << " and " << b.sizes());
  if (a.size(2) <= above || a.size(3) <= above) {
    throw DataError("images of " + std::to_string(a.size(3)) + "x" +
                    std::to_string(a.size(2)) +
                    " px are too small for this likeness, which needs more "
                    "than " +
                    std::to_string(above) + " px a side");
  }
}

at::Tensor window(const at::Tensor& like) {
  const at::Tensor x = at::arange(kWindowPx, like.options()) - kMarginPx;
  const at::Tensor bell = (-(x / kDeviationPx).square() / 2).exp();
  const at::Tensor line = (bell / bell.sum()).unsqueeze(1);
  return line.matmul(line.t()).unsqueeze(0).unsqueeze(0);
}

// Likeness of structure alone, and with luminance; means over each image [B].
struct Likeness {
  at::Tensor structure;  // without the reflected border
  at::Tensor whole;
};

Likeness likeness(const at::Tensor& a, const at::Tensor& b, double range) {
  const double c1 = 0.01 * range * 0.01 * range;
  const double c2 = 0.03 * range * 0.03 * range;
  const std::array<std::int64_t, 4> margin = {kMarginPx, kMarginPx, kMarginPx,
                                              kMarginPx};
  const at::Tensor p = at::reflection_pad2d(a, margin);
  const at::Tensor q = at::reflection_pad2d(b, margin);
  const at::Tensor kernel = window(a);
  const auto local_mean = [&](const at::Tensor& x) {
    return at::conv2d(x, kernel);
  };
  const at::Tensor mean_p = local_mean(p), mean_q = local_mean(q);
  const at::Tensor squares = mean_p.square() + mean_q.square();
  const at::Tensor product = mean_p * mean_q;
  const at::Tensor variance_p =
      (local_mean(p * p) - mean_p.square()).clamp_min(0);
  const at::Tensor variance_q =
      (local_mean(q * q) - mean_q.square()).clamp_min(0);
  const at::Tensor covariance = local_mean(p * q) - product;
  const at::Tensor structure =
      (2 * covariance + c2) / (variance_p + variance_q + c2);
  const at::Tensor luminance = (2 * product + c1) / (squares + c1);
  const auto inner = [](const at::Tensor& x) {
    return x.slice(2, kMarginPx, x.size(2) - kMarginPx)
        .slice(3, kMarginPx, x.size(3) - kMarginPx);
  };
  return {inner(structure).mean({1, 2, 3}),
          (luminance * structure).mean({1, 2, 3})};
}

}  // namespace

at::Tensor peak_signal_to_noise(const at::Tensor& a, const at::Tensor& b,
                                double data_range) {
  check_pair(a, b, 0);
  const at::Tensor error = (a - b).square().mean({1, 2, 3});
  return 10 * (data_range * data_range / error).log10();
}

at::Tensor structural_similarity(const at::Tensor& a, const at::Tensor& b,
                                 double data_range) {
  check_pair(a, b, kWindowPx - 1);
  return likeness(a, b, data_range).whole;
}

at::Tensor multiscale_similarity(const at::Tensor& a, const at::Tensor& b,
                                 double data_range) {
  check_pair(a, b, kTooSmallForScalesPx);
  at::Tensor p = a, q = b, product;
  for (std::size_t i = 0; i < kScaleWeights.size(); ++i) {
    const Likeness here = likeness(p, q, data_range);
    const bool coarsest = i + 1 == kScaleWeights.size();
    // Below zero there is no power; such images are not alike at all.
    const at::Tensor part = (coarsest ? here.whole : here.structure)
                                .clamp_min(0)
                                .pow(kScaleWeights[i]);
    product = product.defined() ? product * part : part;
    p = at::avg_pool2d(p, 2);
    q = at::avg_pool2d(q, 2);
  }
  return product;
}

}  // namespace sono
