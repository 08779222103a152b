#include "experiments/evaluation/detector.h"

#include <ATen/ops/linalg_cholesky.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "core/check.h"

namespace sono {
namespace {

constexpr std::int64_t kPlaceFeatures = 6;  // x, y, x^2, y^2, xy, 1
constexpr int kSide = SamFrame::kSidePx;

// fp64 [G * G, C + 6], rows in order of the places.
at::Tensor features_of(const at::Tensor& embedding) {
  SONO_CHECK(embedding.dim() == 4 && embedding.size(0) == 1 &&
                 embedding.size(2) == embedding.size(3),
             "embedding " << embedding.sizes());
  const std::int64_t grid = embedding.size(2);
  const at::Tensor channels =
      embedding[0].flatten(1).t().to(at::kDouble).contiguous();
  const at::Tensor centre =
      (at::arange(grid, at::kDouble) * 2 + 1) / static_cast<double>(grid) - 1;
  const at::Tensor x = centre.expand({grid, grid}).reshape({-1, 1});
  const at::Tensor y =
      centre.unsqueeze(1).expand({grid, grid}).reshape({-1, 1});
  return at::cat({channels, x, y, x * x, y * y, x * y, at::ones_like(x)}, 1);
}

// bool [G * G]: places whose centre lies in the image.
at::Tensor places_in(const Box& whole, std::int64_t grid) {
  const double cell = static_cast<double>(kSide) / static_cast<double>(grid);
  const at::Tensor centre = (at::arange(grid, at::kDouble) + 0.5) * cell;
  const at::Tensor across = centre < whole.x1, down = centre < whole.y1;
  return (down.unsqueeze(1) & across.unsqueeze(0)).flatten();
}

// The largest region of `score` (CV_32F) above one half; empty when none is.
cv::Mat largest_region(const cv::Mat& score) {
  const cv::Mat inside = score > 0.5;
  cv::Mat labels, stats, centres;
  const int count =
      cv::connectedComponentsWithStats(inside, labels, stats, centres, 4);
  int best = 0;
  for (int i = 1; i < count; ++i) {
    if (best == 0 || stats.at<int>(i, cv::CC_STAT_AREA) >
                         stats.at<int>(best, cv::CC_STAT_AREA)) {
      best = i;
    }
  }
  return best == 0 ? cv::Mat() : cv::Mat(labels == best);
}

}  // namespace

BoxDetectorFit::BoxDetectorFit() = default;

void BoxDetectorFit::add(const at::Tensor& embedding, const at::Tensor& target,
                         const Box& whole) {
  const at::NoGradGuard no_grad;
  const std::int64_t grid = embedding.size(2);
  SONO_CHECK(target.dim() == 2 && target.size(0) == target.size(1) &&
                 target.size(0) % grid == 0,
             "target " << target.sizes() << " of a grid of " << grid);
  const std::int64_t cell = target.size(0) / grid;
  const at::Tensor covered =
      at::avg_pool2d(target.to(at::kDouble).unsqueeze(0).unsqueeze(0), cell)
          .flatten();
  const at::Tensor rows = places_in(whole, grid).nonzero().squeeze(1);
  const at::Tensor features = features_of(embedding).index_select(0, rows);
  const at::Tensor wanted = covered.index_select(0, rows);
  const at::Tensor gram = features.t().mm(features);
  const at::Tensor moment = features.t().mv(wanted);
  gram_ = gram_.defined() ? gram_ + gram : gram;
  moment_ = moment_.defined() ? moment_ + moment : moment;
  places_ += rows.size(0);
}

at::Tensor BoxDetectorFit::solve(double ridge) const {
  const at::NoGradGuard no_grad;
  SONO_CHECK(places_ > 0, "a detector needs one image or more");
  at::Tensor scale = gram_.diagonal() / static_cast<double>(places_);
  // The offset is not held back, channels that are always 0 get none.
  at::Tensor penalty =
      at::full_like(scale, scale.mean().item<double>() * ridge *
                               static_cast<double>(places_));
  penalty[-1] = 1e-9 * static_cast<double>(places_);
  const at::Tensor factor = at::linalg_cholesky(gram_ + penalty.diag());
  return at::cholesky_solve(moment_.unsqueeze(1), factor).squeeze(1);
}

Box detect_box(const at::Tensor& weights, const at::Tensor& embedding,
               const SamFrame& frame) {
  const at::NoGradGuard no_grad;
  const std::int64_t grid = embedding.size(2);
  const at::Tensor said =
      features_of(embedding).mv(weights).view({1, 1, grid, grid});
  const at::Tensor large =
      at::upsample_bilinear2d(said.to(at::kFloat), {kSide, kSide},
                              /*align_corners=*/false)
          .contiguous();
  const cv::Mat score(kSide, kSide, CV_32FC1, large.data_ptr<float>());
  const cv::Mat region = largest_region(score(cv::Rect({0, 0}, frame.size)));
  if (region.empty()) return frame.whole();
  const cv::Rect box = cv::boundingRect(region);
  return {static_cast<double>(box.x), static_cast<double>(box.y),
          static_cast<double>(box.x + box.width - 1),
          static_cast<double>(box.y + box.height - 1)};
}

}  // namespace sono
