#pragma once
// Reads a finished data set: any sample by one open and three preads, each
// checked against its checksum; verification; and mending.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/shards/manifest.h"
#include "data/shards/writer.h"

namespace sono {

// Safe to use from many threads.
class ShardReader {
 public:
  // DataError when manifest.json is missing or damaged.
  explicit ShardReader(std::filesystem::path folder);

  std::int64_t size() const { return manifest_.plan.count; }
  const Manifest& manifest() const { return manifest_; }
  const SampleEntry& entry(std::int64_t sample) const;
  // DataError naming the shard and the member when the shard is missing,
  // truncated or changed. Costs the same for each sample.
  ShardSample read(std::int64_t sample) const;

 private:
  std::filesystem::path folder_;
  Manifest manifest_;
};

struct DatasetProblem {
  std::int64_t shard = -1;  // -1: the data set as a whole
  std::string message;      // starts with the file's path
};

// Every file against its checksum; empty when all is well. Reads everything.
std::vector<DatasetProblem> check_dataset(const std::filesystem::path& folder);

// DataError that names each bad file and the remedy.
void verify_dataset(const std::filesystem::path& folder);

// Removes the damaged shards, so that running the same generation again makes
// them, and only them, anew. Returns the shards removed. A damaged or lost
// manifest.json cannot be trusted: then all shards are made again. Not while a
// generation is at work on the folder.
std::vector<std::int64_t> mend_dataset(const std::filesystem::path& folder);

}  // namespace sono
