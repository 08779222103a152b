#include "data/loader/loader.h"

#include <algorithm>

#include "core/check.h"
#include "core/option.h"

namespace sono {
namespace {

// Samples a shard: all of them, or the accepted ones.
std::vector<std::int64_t> count_samples(const ShardReader& reader,
                                        bool accepted_only) {
  const DatasetPlan& plan = reader.manifest().plan;
  std::vector<std::int64_t> counts(static_cast<std::size_t>(plan.num_shards()));
  const auto accepted =
      accepted_only ? std::make_unique<AcceptedSamples>(reader) : nullptr;
  for (std::int64_t k = 0; k < plan.num_shards(); ++k) {
    counts[static_cast<std::size_t>(k)] =
        accepted ? accepted->in_shard(k) : plan.samples_in(k);
  }
  return counts;
}

// Whether this position's window is another than the one before it.
bool starts_window(const EpochOrder& order, std::int64_t position,
                   std::int64_t before) {
  return before < 0 || order.window_of(position) != order.window_of(before);
}

}  // namespace

void LoaderConfig::validate() const {
  check_range("window_shards", window_shards, 1, 4096);
  check_range("threads", threads, 1, 1024);
  check_range("prefetch", prefetch, 1, 1e6);
}

SampleLoader::SampleLoader(const std::filesystem::path& dataset,
                           const LoaderConfig& config, int rank, int world_size,
                           LoaderCursor start)
    : config_(config), rank_(rank), world_size_(world_size) {
  config.validate();
  SONO_CHECK(world_size >= 1 && rank >= 0 && rank < world_size,
             "rank " << rank << " of " << world_size);
  // This window, the one announced, and what the threads still hold.
  reader_ = std::make_unique<ShardReader>(
      dataset, 2 * config.window_shards + config.threads);
  counts_ = count_samples(*reader_, config.accepted_only);
  slots_.resize(static_cast<std::size_t>(config.prefetch));
  seek(start);
}

SampleLoader::~SampleLoader() { stop(); }

void SampleLoader::seek(LoaderCursor cursor) {
  stop();
  in_work_ = handed_out_ = tickets_ = 0;
  if (!order_ || cursor.epoch != begin_.epoch) {
    order_ = std::make_unique<EpochOrder>(counts_, config_.shuffle,
                                          config_.window_shards, config_.seed,
                                          cursor.epoch);
  }
  if (cursor.epoch < 0 || cursor.position < 0 || cursor.position > size()) {
    throw ConfigError("the cursor says epoch " + std::to_string(cursor.epoch) +
                      ", position " + std::to_string(cursor.position) +
                      " of a data set of " + std::to_string(size()) +
                      " samples; it belongs to another data set");
  }
  begin_ = cursor;
  const std::int64_t first = position_of(0);
  if (first < size()) tickets_ = (size() - 1 - first) / world_size_ + 1;
  start();
}

LoaderCursor SampleLoader::cursor() const {
  return {begin_.epoch,
          std::min(size(), begin_.position + handed_out_ * world_size_)};
}

std::optional<ShardSample> SampleLoader::next() {
  if (handed_out_ == tickets_) return std::nullopt;
  Slot taken;
  {
    std::unique_lock lock(mutex_);
    Slot& slot =
        slots_[static_cast<std::size_t>(handed_out_ % config_.prefetch)];
    ready_.wait(lock, [&] { return slot.ready; });
    std::swap(taken, slot);
    ++handed_out_;
  }
  room_.notify_one();
  if (taken.error) std::rethrow_exception(taken.error);
  return std::move(taken.sample);
}

// The first position from the cursor on that is this rank's, and then every
// world_size-th.
std::int64_t SampleLoader::position_of(std::int64_t ticket) const {
  const std::int64_t behind =
      (rank_ - begin_.position % world_size_ + world_size_) % world_size_;
  return begin_.position + behind + ticket * world_size_;
}

std::int64_t SampleLoader::sample_at(std::int64_t position) const {
  const auto [shard, number] = order_->at(position);
  return config_.accepted_only
             ? reader_->accepted_in(shard, number)
             : reader_->manifest().plan.first_sample(shard) + number;
}

SampleLoader::Slot SampleLoader::load(std::int64_t position) const {
  Slot slot;
  slot.ready = true;
  try {
    slot.sample = reader_->read(sample_at(position));
  } catch (...) {
    slot.error = std::current_exception();
  }
  return slot;
}

// Has the shards of the next window, and at the start of this one, read ahead.
// A rank among others reads its own samples alone: each reading all of every
// shard would multiply the traffic of a shared folder.
void SampleLoader::announce(std::int64_t position) const {
  if (world_size_ > 1 || order_->windows() == 0) return;
  const std::int64_t before = position > begin_.position ? position - 1 : -1;
  if (!starts_window(*order_, position, before)) return;
  const std::int64_t window = order_->window_of(position);
  for (std::int64_t w = before < 0 ? window : window + 1; w <= window + 1;
       ++w) {
    for (const std::int64_t shard : order_->shards_of(w)) {
      try {
        reader_->read_ahead(shard);
      } catch (const DataError&) {
        // Said when a sample of this shard is due.
      }
    }
  }
}

void SampleLoader::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    room_.wait(lock, [&] {
      return stopping_ || in_work_ == tickets_ ||
             in_work_ < handed_out_ + config_.prefetch;
    });
    if (stopping_ || in_work_ == tickets_) return;
    const std::int64_t ticket = in_work_++;
    lock.unlock();
    const std::int64_t position = position_of(ticket);
    announce(position);
    Slot made = load(position);
    lock.lock();
    slots_[static_cast<std::size_t>(ticket % config_.prefetch)] =
        std::move(made);
    if (ticket == handed_out_) ready_.notify_one();
  }
}

void SampleLoader::start() {
  stopping_ = false;
  for (int k = 0; k < config_.threads; ++k) {
    threads_.emplace_back([this] { work(); });
  }
}

void SampleLoader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  room_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (Slot& slot : slots_) slot = Slot();
}

}  // namespace sono
