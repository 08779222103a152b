#include "experiments/leaks/fingerprints.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "core/check.h"

namespace sono {
namespace {

const cv::Size kPixelGrid(48, 32);
constexpr std::int64_t kEmbeddingGrid = 8;

// The likeness of each training image (rows) to each test image (columns).
at::Tensor cross_products(const at::Tensor& rows, std::int64_t num_train) {
  return rows.slice(0, 0, num_train).mm(rows.slice(0, num_train).t());
}

}  // namespace

at::Tensor pixel_fingerprint(const cv::Mat& image) {
  SONO_CHECK_EQ(image.type(), CV_8UC1);
  cv::Mat small, values;
  cv::resize(image, small, kPixelGrid, 0, 0, cv::INTER_AREA);
  small.convertTo(values, CV_32F);
  const at::Tensor grey =
      at::from_blob(values.data, {kPixelGrid.area()}, at::kFloat).clone();
  const at::Tensor centred = grey - grey.mean();
  return centred / centred.norm().clamp_min(1e-6);
}

at::Tensor embedding_fingerprint(const at::Tensor& embedding) {
  const at::NoGradGuard no_grad;
  return at::adaptive_avg_pool2d(embedding, {kEmbeddingGrid, kEmbeddingGrid})
      .flatten()
      .to(at::kFloat);
}

at::Tensor center_rows(const at::Tensor& rows) {
  const at::Tensor apart = rows - rows.mean(0, /*keepdim=*/true);
  const at::Tensor length = apart.norm(2, {1}, /*keepdim=*/true);
  const at::Tensor hardly = length < 1e-4 * rows.norm(2, {1}, /*keepdim=*/true);
  return (apart / length.clamp_min(1e-12)).masked_fill(hardly, 0);
}

Likeness compare_sides(const at::Tensor& pixels, const at::Tensor& embeddings,
                       std::int64_t num_train) {
  Likeness found;
  if (num_train == 0 || num_train == pixels.size(0)) return found;
  const at::Tensor by_pixels = cross_products(pixels, num_train);
  const at::Tensor by_embedding = cross_products(embeddings, num_train);
  found.largest_pixels = by_pixels.max().item<float>();
  found.largest_embedding = by_embedding.max().item<float>();
  const at::Tensor alike =
      (by_pixels >= kPixelLimit).logical_or(by_embedding >= kEmbeddingLimit);
  const at::Tensor places = alike.nonzero();  // [pairs, 2], in order
  for (std::int64_t i = 0; i < places.size(0); ++i) {
    const auto train = places[i][0].item<std::int64_t>();
    const auto test = places[i][1].item<std::int64_t>();
    found.pairs.push_back({static_cast<std::size_t>(train),
                           static_cast<std::size_t>(test),
                           by_pixels[train][test].item<float>(),
                           by_embedding[train][test].item<float>()});
  }
  std::ranges::stable_sort(found.pairs, std::ranges::greater{},
                           [](const AlikePair& pair) {
                             return std::max(pair.pixels, pair.embedding);
                           });
  return found;
}

}  // namespace sono
