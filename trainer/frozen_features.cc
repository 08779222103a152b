#include "trainer/frozen_features.h"

#include <cstring>

#include "core/check.h"
#include "core/hash.h"
#include "trainer/machine_kind.h"

namespace sono {
FrozenFeatures::FrozenFeatures(const Segmenter& segmenter, PackCache* cache,
                               std::size_t max_in_memory)
    : segmenter_(segmenter), cache_(cache), max_in_memory_(max_in_memory) {
  const PromptEncoderConfig& sizes = segmenter.model().config().prompt;
  shape_ = {1, sizes.channels, sizes.grid, sizes.grid};
  bytes_ = static_cast<std::size_t>(sizes.channels * sizes.grid * sizes.grid) *
           sizeof(float);
}

at::Tensor FrozenFeatures::embedding(const cv::Mat& image) {
  const at::Tensor frame = segmenter_.input(image);
  const std::string name = key(frame);
  const auto found = places_.find(name);
  if (found != places_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    return recent_.front().second;
  }
  const at::Tensor value = compute_or_read(name, frame);
  if (max_in_memory_ == 0) return value;
  if (recent_.size() >= max_in_memory_) {
    places_.erase(recent_.back().first);
    recent_.pop_back();
  }
  recent_.emplace_front(name, value);
  places_[name] = recent_.begin();
  return value;
}

// Everything that decides the embedding's bits: weights, pixels, and the kind
// of machine that computes it.
std::string FrozenFeatures::key(const at::Tensor& frame) const {
  const at::Tensor pixels = frame[0][0].contiguous();
  Sha256 hash;
  hash.update(segmenter_.model().config().is_vit()
                  ? "sam-vit-embedding-1 "
                  : "lite-medsam-embedding-2 ");
  hash.update(segmenter_.encoder_hash());
  hash.update(machine_kind().dump());
  hash.update(pixels.data_ptr(), pixels.nbytes());
  return hash.hex();
}

at::Tensor FrozenFeatures::compute_or_read(const std::string& key,
                                           const at::Tensor& frame) {
  if (cache_) {
    const auto bytes = cache_->get(key);
    if (bytes && bytes->size() == bytes_) {
      at::Tensor value = at::empty(shape_, at::kFloat);
      std::memcpy(value.data_ptr(), bytes->data(), bytes_);
      return value;
    }
  }
  ++num_computed_;
  const at::Tensor value = segmenter_.encode_input(frame);
  SONO_CHECK_EQ(value.nbytes(), bytes_);
  if (cache_) {
    cache_->put(key, {static_cast<const char*>(value.data_ptr()), bytes_});
  }
  return value;
}

}  // namespace sono
