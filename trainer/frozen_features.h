#pragma once
// Embeddings of the segmenter's encoder, computed once: kept in memory (the
// most recent ones) and in a cache on disk that every arm, seed and evaluation
// shares. A cached embedding has the bits of a fresh one. One thread at a time.

#include <list>
#include <opencv2/core.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "data/pack_cache.h"
#include "trainer/segmenter.h"

namespace sono {

class FrozenFeatures {
 public:
  // `cache` may be null; both must outlive this. An embedding takes 4 MiB.
  FrozenFeatures(const Segmenter& segmenter, PackCache* cache,
                 std::size_t max_in_memory = 64);

  // fp32 [1, 256, 64, 64] of a CV_8UC1 image; do not change it in place.
  at::Tensor embedding(const cv::Mat& image);

  // How many embeddings the encoder had to compute.
  std::size_t num_computed() const { return num_computed_; }

 private:
  std::string key(const at::Tensor& frame) const;
  at::Tensor compute_or_read(const std::string& key, const at::Tensor& frame);

  const Segmenter& segmenter_;
  PackCache* cache_;
  std::size_t max_in_memory_;
  std::vector<std::int64_t> shape_;  // of an embedding
  std::size_t bytes_ = 0;
  std::size_t num_computed_ = 0;
  std::list<std::pair<std::string, at::Tensor>> recent_;  // newest first
  std::unordered_map<std::string, decltype(recent_)::iterator> places_;
};

}  // namespace sono
