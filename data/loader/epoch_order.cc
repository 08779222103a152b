#include "data/loader/epoch_order.h"

#include <algorithm>
#include <numeric>

#include "core/check.h"
#include "core/option.h"

namespace sono {

Shuffle parse_shuffle(const std::string& text) {
  check_choice("shuffle", text, {"none", "shards", "full"});
  return text == "none"     ? Shuffle::kNone
         : text == "shards" ? Shuffle::kShards
                            : Shuffle::kFull;
}

EpochOrder::EpochOrder(const std::vector<std::int64_t>& counts, Shuffle shuffle,
                       int window_shards, std::uint64_t seed,
                       std::int64_t epoch)
    : shuffle_(shuffle),
      window_shards_(shuffle == Shuffle::kShards ? window_shards : 1),
      seed_(seed),
      epoch_(static_cast<std::uint64_t>(epoch)),
      shards_(counts.size()) {
  SONO_CHECK(window_shards_ >= 1, "window_shards = " << window_shards_);
  std::iota(shards_.begin(), shards_.end(), std::int64_t{0});
  if (shuffle == Shuffle::kShards) {
    const RandomKey key = make_key("loader.shards", seed_, 0, epoch_);
    for (std::int64_t& shard : shards_) {
      shard = static_cast<std::int64_t>(permuted_index(
          static_cast<std::uint64_t>(shard), counts.size(), key));
    }
  }
  ends_.reserve(counts.size());
  for (const std::int64_t shard : shards_) {
    ends_.push_back(size() + counts[static_cast<std::size_t>(shard)]);
  }
}

std::int64_t EpochOrder::before(std::int64_t k) const {
  return k == 0 ? 0 : ends_[static_cast<std::size_t>(k) - 1];
}

std::int64_t EpochOrder::windows() const {
  if (shuffle_ == Shuffle::kFull) return 0;
  const auto shards = static_cast<std::int64_t>(shards_.size());
  return (shards + window_shards_ - 1) / window_shards_;
}

std::int64_t EpochOrder::window_of(std::int64_t position) const {
  const auto shard = std::upper_bound(ends_.begin(), ends_.end(), position);
  return (shard - ends_.begin()) / window_shards_;
}

std::vector<std::int64_t> EpochOrder::shards_of(std::int64_t window) const {
  const auto shards = static_cast<std::int64_t>(shards_.size());
  const auto first = std::min(shards, window * window_shards_);
  const auto last = std::min(shards, first + window_shards_);
  return {shards_.begin() + first, shards_.begin() + last};
}

// The place, among all samples in order of the shards, of the one at
// `position`.
std::int64_t EpochOrder::slot_of(std::int64_t position) const {
  if (shuffle_ == Shuffle::kNone) return position;
  std::int64_t begin = 0, end = size(), window = 0;
  if (shuffle_ == Shuffle::kShards) {
    window = window_of(position);
    const auto shards = static_cast<std::int64_t>(shards_.size());
    begin = before(window * window_shards_);
    end = before(std::min(shards, (window + 1) * window_shards_));
  }
  const RandomKey key = make_key("loader.samples", seed_,
                                 static_cast<std::uint64_t>(window), epoch_);
  return begin + static_cast<std::int64_t>(permuted_index(
                     static_cast<std::uint64_t>(position - begin),
                     static_cast<std::uint64_t>(end - begin), key));
}

EpochOrder::Place EpochOrder::at(std::int64_t position) const {
  SONO_CHECK(position >= 0 && position < size(),
             "position " << position << " of " << size());
  const std::int64_t slot = slot_of(position);
  const auto shard = std::upper_bound(ends_.begin(), ends_.end(), slot);
  const auto k = shard - ends_.begin();
  return {shards_[static_cast<std::size_t>(k)], slot - before(k)};
}

}  // namespace sono
