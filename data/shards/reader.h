#pragma once
// Reads a finished data set. Opening it reads manifest.json, whose size does
// not depend on the number of samples; a sample costs its shard's index, which
// is kept while it is in use, and one pread of the tar.

#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "data/shards/manifest.h"
#include "data/shards/writer.h"

namespace sono {

// Safe to use from many threads.
class ShardReader {
 public:
  // `open_shards` are kept open: two descriptors' worth of index and tar each.
  // DataError when manifest.json is missing or damaged.
  explicit ShardReader(std::filesystem::path folder, int open_shards = 64);
  ~ShardReader();
  ShardReader(const ShardReader&) = delete;
  ShardReader& operator=(const ShardReader&) = delete;

  std::int64_t size() const { return manifest_.plan.count; }
  const std::filesystem::path& folder() const { return folder_; }
  const Manifest& manifest() const { return manifest_; }
  SampleEntry entry(std::int64_t sample) const;
  // The number of the k-th sample of a shard that the gate accepted.
  std::int64_t accepted_in(std::int64_t shard, std::int64_t k) const;
  // DataError naming the shard and the member when the shard or its index is
  // missing, truncated or changed. Costs the same for each sample.
  ShardSample read(std::int64_t sample) const;
  // Asks the kernel to read the whole shard ahead; speed only.
  void read_ahead(std::int64_t shard) const;

 private:
  struct OpenShard;
  using OpenShards = std::list<std::shared_ptr<const OpenShard>>;
  std::shared_ptr<const OpenShard> open(std::int64_t shard) const;
  std::shared_ptr<const OpenShard> shard_of(std::int64_t sample) const;

  std::filesystem::path folder_;
  Manifest manifest_;
  std::size_t most_open_;
  mutable std::mutex mutex_;
  mutable OpenShards open_;  // the last used first
};

// The samples that the gate accepted, by their number among them. Reads
// shards.jsonl once, against its checksum, and keeps 8 bytes a shard.
class AcceptedSamples {
 public:
  // DataError when shards.jsonl is missing or damaged.
  explicit AcceptedSamples(const ShardReader& reader);
  std::int64_t size() const { return ends_.empty() ? 0 : ends_.back(); }
  // The number of the k-th in the data set.
  std::int64_t sample(const ShardReader& reader, std::int64_t k) const;
  std::int64_t in_shard(std::int64_t shard) const;

 private:
  std::vector<std::int64_t> ends_;  // accepted up to and with each shard
};

}  // namespace sono
