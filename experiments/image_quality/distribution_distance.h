#pragma once
// How far apart two sets of features are: one row an image, fp32 or fp64
// [N, D]; everything is computed in fp64. Pure functions of their arguments, on
// any thread.

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sono {

// Frechet distance of the two Gaussians (Heusel et al. 2017, "FID" on Inception
// features). Biased upwards, the more the fewer images: with no more images
// than dimensions it measures the number of images. `allow_few` computes it all
// the same; otherwise that is a ConfigError. DataError for under two rows.
double frechet_distance(const at::Tensor& real, const at::Tensor& synthetic,
                        bool allow_few = false);

// The unbiased squared maximum mean discrepancy with the kernel
// (x.y / D + 1)^3 (Binkowski et al. 2018, "KID"); may be below zero. DataError
// for under two rows.
double kernel_distance(const at::Tensor& real, const at::Tensor& synthetic);

// The same over subsets of both sets, as is usual in the literature: the mean
// of the distances of the given pairs of index lists (int64 [m] each), and
// their standard deviation with n - 1 (0 for one pair).
using SubsetPair = std::pair<at::Tensor, at::Tensor>;
struct SubsetDistance {
  double mean = 0;
  double deviation = 0;
};
SubsetDistance kernel_distance_of_subsets(const at::Tensor& real,
                                          const at::Tensor& synthetic,
                                          const std::vector<SubsetPair>& pairs);
// `count` pairs of `size` indices, drawn without repetition by `seed`.
std::vector<SubsetPair> draw_subsets(std::int64_t num_real,
                                     std::int64_t num_synthetic,
                                     std::int64_t size, int count,
                                     std::uint64_t seed);

// kernel_distance with a 95 % interval: a jackknife that leaves out one exam of
// the real images, or one synthetic image, at a time, with Student's t of the
// smaller number of exams or images less one. A bootstrap would put an image
// beside its own copy, which the kernel takes for likeness.
struct KernelEstimate {
  double value = 0;
  double low = 0;
  double high = 0;
};
KernelEstimate kernel_distance_interval(
    const at::Tensor& real, const std::vector<std::string>& real_exams,
    const at::Tensor& synthetic);

// Fidelity and variety by nearest neighbours (Kynkaanniemi et al. 2019; Naeem
// et al. 2020). DataError unless both sets have more than k rows.
struct Manifold {
  double precision = 0;  // synthetic images near a real one
  double recall = 0;     // real images near a synthetic one
  double density = 0;    // how many real ones, over k
  double coverage = 0;   // real images with a synthetic one nearest enough
};
Manifold manifold_measures(const at::Tensor& real, const at::Tensor& synthetic,
                           int k = 5);

}  // namespace sono
