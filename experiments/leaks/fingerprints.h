#pragma once
// Images as short vectors whose inner product says how alike they are: 1 for
// equal ones, near 0 for images that share no more than their kind.

#include <ATen/ATen.h>

#include <cstddef>
#include <opencv2/core.hpp>
#include <vector>

namespace sono {

// Two images above one of these are called near duplicates. Among the 38,750
// pairs of HC18 images of different exams the largest pixel correlation is
// 0.77; copies with another gain and JPEG's losses stay above 0.998, copies
// moved by ten pixels mostly above 0.93.
inline constexpr double kPixelLimit = 0.9;
// Chosen like the other; not measured on real images yet.
inline constexpr double kEmbeddingLimit = 0.9;

// fp32 [48 * 32]: grey values of a CV_8UC1 image at that size, centred, of
// length 1 (0 for a constant image). Inner products are Pearson correlations.
at::Tensor pixel_fingerprint(const cv::Mat& image);

// fp32 [C * 8 * 8]: the encoder's embedding [1, C, G, G], averaged to 8 x 8.
// All fingerprints of a comparison must go through center_rows first.
at::Tensor embedding_fingerprint(const at::Tensor& embedding);

// Rows [N, D] less their mean, each of length 1, so that inner products are
// cosines of what sets an image apart from the others. Rows that are hardly
// apart from the mean become 0.
at::Tensor center_rows(const at::Tensor& rows);

struct AlikePair {
  std::size_t train = 0, test = 0;  // rows
  double pixels = 0, embedding = 0;
};

struct Likeness {
  std::vector<AlikePair> pairs;  // above a limit, the most alike first
  double largest_pixels = -1, largest_embedding = -1;
};

// Every training image with every test image. `pixels`: [N + M, D] fingerprints
// of the `num_train` training images, then the test images; `embeddings`: the
// same of the encoder, centred.
Likeness compare_sides(const at::Tensor& pixels, const at::Tensor& embeddings,
                       std::int64_t num_train);

}  // namespace sono
