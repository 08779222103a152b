#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "experiments/image_quality/distribution_distance.h"
#include "experiments/image_quality/feature_check.h"

namespace sono {
namespace {

// Rows less their mean, over sqrt(N - 1): root^T root is the covariance.
at::Tensor covariance_root(const at::Tensor& rows) {
  return (rows - rows.mean(0, true)) /
         std::sqrt(static_cast<double>(rows.size(0) - 1));
}

// Trace of sqrt(A B) for A = root_a^T root_a, B likewise: the sum of the
// singular values of root_a root_b^T.
double trace_of_root(const at::Tensor& root_a, const at::Tensor& root_b) {
  const std::int64_t width = root_a.size(1);
  if (root_a.size(0) <= width || root_b.size(0) <= width) {
    return at::linalg_svdvals(root_a.matmul(root_b.t())).sum().item<double>();
  }
  // More rows than columns: the triangles of a QR decomposition do as well.
  const at::Tensor r_a = std::get<1>(at::linalg_qr(root_a, "r"));
  const at::Tensor r_b = std::get<1>(at::linalg_qr(root_b, "r"));
  return at::linalg_svdvals(r_a.matmul(r_b.t())).sum().item<double>();
}

}  // namespace

double frechet_distance(const at::Tensor& real, const at::Tensor& synthetic,
                        bool allow_few) {
  const auto [a, b] = checked_features(real, synthetic, 2);
  const std::int64_t fewest = std::min(a.size(0), b.size(0));
  if (fewest <= a.size(1) && !allow_few) {
    throw ConfigError(
        "a Frechet distance of " + std::to_string(fewest) + " images in " +
        std::to_string(a.size(1)) +
        " dimensions measures the number of images; use the kernel distance, "
        "or ask for it all the same with --fid-with-few");
  }
  const at::Tensor root_a = covariance_root(a), root_b = covariance_root(b);
  const double between = (a.mean(0) - b.mean(0)).square().sum().item<double>();
  const double within = root_a.square().sum().item<double>() +
                        root_b.square().sum().item<double>();
  return between + within - 2 * trace_of_root(root_a, root_b);
}

}  // namespace sono
