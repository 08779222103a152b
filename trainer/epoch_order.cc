#include "trainer/epoch_order.h"

#include <algorithm>
#include <map>

#include "core/check.h"
#include "core/random.h"

namespace sono {
namespace {

template <class T>
std::vector<T> permuted(const std::vector<T>& values, RandomKey key) {
  std::vector<T> result;
  for (std::uint64_t i = 0; i < values.size(); ++i) {
    result.push_back(values[permuted_index(i, values.size(), key)]);
  }
  return result;
}

}  // namespace

EpochOrder::EpochOrder(
    std::vector<std::pair<std::int64_t, std::int64_t>> shapes,
    std::int64_t batch_size, std::uint64_t seed)
    : count_(static_cast<std::int64_t>(shapes.size())),
      batch_size_(batch_size),
      seed_(seed) {
  SONO_CHECK(count_ >= 1 && batch_size >= 1,
             count_ << " examples, batch of " << batch_size);
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<std::int64_t>>
      by_shape;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    by_shape[shapes[i]].push_back(static_cast<std::int64_t>(i));
  }
  for (auto& [shape, indices] : by_shape)
    buckets_.push_back(std::move(indices));
}

EpochOrder::Place EpochOrder::at(std::uint64_t sample) {
  const auto count = static_cast<std::uint64_t>(count_);
  const auto epoch = static_cast<std::int64_t>(sample / count);
  if (epoch != epoch_) shuffle(epoch);
  return {order_[sample % count], epoch};
}

// Each bucket is shuffled and cut into batches; whole batches come in random
// order, the buckets' rests behind them.
void EpochOrder::shuffle(std::int64_t epoch) {
  const auto key = [&](const char* purpose, std::uint64_t number) {
    return make_key(purpose, seed_, number, static_cast<std::uint64_t>(epoch));
  };
  const auto batch = static_cast<std::ptrdiff_t>(batch_size_);
  std::vector<std::vector<std::int64_t>> batches;
  std::vector<std::int64_t> rests;
  for (std::size_t b = 0; b < buckets_.size(); ++b) {
    const auto members = permuted(buckets_[b], key("latent.order", b));
    auto begin = members.begin();
    for (; members.end() - begin >= batch; begin += batch) {
      batches.emplace_back(begin, begin + batch);
    }
    rests.insert(rests.end(), begin, members.end());
  }
  order_.clear();
  for (const auto& members : permuted(batches, key("latent.batches", 0))) {
    order_.insert(order_.end(), members.begin(), members.end());
  }
  order_.insert(order_.end(), rests.begin(), rests.end());
  epoch_ = epoch;
}

}  // namespace sono
