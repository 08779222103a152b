#include <algorithm>

#include "core/error.h"
#include "experiments/image_quality/distribution_distance.h"
#include "experiments/image_quality/feature_check.h"

namespace sono {
namespace {

// Squared Euclidean distances [N, M] in blocks, from differences: sums of
// squares would lose what near neighbours differ by.
at::Tensor squared_distances(const at::Tensor& a, const at::Tensor& b) {
  constexpr std::int64_t kValuesAtOnce = 1 << 22;
  const std::int64_t rows_at_once = std::max<std::int64_t>(
      1, kValuesAtOnce / std::max<std::int64_t>(1, b.numel()));
  std::vector<at::Tensor> blocks;
  for (std::int64_t i = 0; i < a.size(0); i += rows_at_once) {
    const at::Tensor block =
        a.slice(0, i, std::min(a.size(0), i + rows_at_once));
    blocks.push_back((block.unsqueeze(1) - b.unsqueeze(0)).square().sum(2));
  }
  return at::cat(blocks);
}

// Distance of each row to its k-th neighbour; the nearest is itself.
at::Tensor neighbour_radius(const at::Tensor& rows, int k) {
  return std::get<0>(squared_distances(rows, rows).kthvalue(k + 1, 1));
}

double mean_of(const at::Tensor& flags) {
  return flags.to(at::kDouble).mean().item<double>();
}

}  // namespace

Manifold manifold_measures(const at::Tensor& real, const at::Tensor& synthetic,
                           int k) {
  const auto [x, y] = checked_features(real, synthetic, k + 1);
  const at::Tensor across = squared_distances(x, y);  // [N, M]
  const at::Tensor radius_x = neighbour_radius(x, k).unsqueeze(1);
  const at::Tensor radius_y = neighbour_radius(y, k).unsqueeze(0);
  const at::Tensor near_real = across.lt(radius_x);
  Manifold measures;
  measures.precision = mean_of(near_real.any(0));
  measures.recall = mean_of(across.lt(radius_y).any(1));
  measures.density = mean_of(near_real.sum(0)) / k;
  measures.coverage =
      mean_of(std::get<0>(across.min(1)).lt(radius_x.squeeze(1)));
  return measures;
}

}  // namespace sono
