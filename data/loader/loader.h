#pragma once
// Streams the samples of a finished data set to any number of ranks: in an
// order that depends on seed and epoch alone, decoded ahead by threads, from
// any position on at the same cost.
//
// An epoch is one row of positions 0 .. size-1 for all ranks together; rank r
// of W takes those with position % W == r. So every sample comes exactly once
// whatever W is, nothing is padded, ranks' shares differ by one at most, and a
// cursor written on one world size goes on on any other.

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "data/loader/epoch_order.h"
#include "data/shards/reader.h"

namespace sono {

struct LoaderConfig {
  Shuffle shuffle = Shuffle::kShards;
  int window_shards = 16;      // mixed with one another
  bool accepted_only = false;  // leave out what the gate rejected
  std::uint64_t seed = 0;
  int threads = 2;    // that read and decode; speed only
  int prefetch = 64;  // samples made ahead, at most; speed and memory only

  // ConfigError naming the field.
  void validate() const;
};

// Where the ranks stand together; a few bytes in a checkpoint.
struct LoaderCursor {
  std::int64_t epoch = 0;
  std::int64_t position = 0;  // samples that all ranks have taken
  bool operator==(const LoaderCursor&) const = default;
};

// Use from one thread.
class SampleLoader {
 public:
  // Starts at the cursor's place. ConfigError for a bad config, rank or cursor;
  // DataError when the data set is unfinished or damaged.
  SampleLoader(const std::filesystem::path& dataset, const LoaderConfig& config,
               int rank = 0, int world_size = 1, LoaderCursor start = {});
  // Returns once the samples in work, one a thread, are done.
  ~SampleLoader();
  SampleLoader(const SampleLoader&) = delete;
  SampleLoader& operator=(const SampleLoader&) = delete;

  // Samples of an epoch, over all ranks.
  std::int64_t size() const { return order_->size(); }
  // The next sample of this rank; none at the end of the epoch. A sample that
  // cannot be read is a DataError naming its shard, at its place in the order;
  // the call after it goes on behind it.
  std::optional<ShardSample> next();
  // Goes to another place; what was made ahead is dropped.
  void seek(LoaderCursor cursor);
  // The place reached, when every rank has taken as many as this one.
  LoaderCursor cursor() const;

 private:
  struct Slot {
    bool ready = false;
    ShardSample sample;
    std::exception_ptr error;
  };

  std::int64_t position_of(std::int64_t ticket) const;
  std::int64_t sample_at(std::int64_t position) const;
  Slot load(std::int64_t position) const;
  void announce(std::int64_t position) const;
  void work();
  void start();
  void stop();

  LoaderConfig config_;
  int rank_, world_size_;
  std::unique_ptr<ShardReader> reader_;
  std::vector<std::int64_t> counts_;  // samples a shard
  std::unique_ptr<EpochOrder> order_;
  LoaderCursor begin_;        // where the tickets start
  std::int64_t tickets_ = 0;  // this rank's samples from there

  std::mutex mutex_;
  std::condition_variable room_, ready_;
  std::vector<Slot> slots_;      // ticket t stands in t % prefetch
  std::int64_t in_work_ = 0;     // the next ticket a thread takes
  std::int64_t handed_out_ = 0;  // the next ticket `next` returns
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sono
