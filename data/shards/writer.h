#pragma once
// Makes a data set of shards. Any number of workers, on any hosts, may call
// every function here on one folder at the same time and may be killed at any
// instant: as long as they bring equal samples, the finished folder is the
// same.
//
//   open_dataset(folder, plan);
//   for each shard i of missing_shards(folder, plan):
//     commit_shard(folder, plan, i, samples);
//   finalize_dataset(folder, plan);

#include <filesystem>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "data/shards/manifest.h"

namespace sono {

struct ShardSample {
  std::string key;            // sample_key(number)
  cv::Mat image;              // CV_8UC1 [H, W]
  cv::Mat mask;               // CV_8UC1 [H, W], 0 or 255
  nlohmann::json provenance;  // what it takes to make this sample again
};

// SHA-256 over key, pixels and provenance; not over PNG bytes.
Sha256Digest sample_digest(const ShardSample& sample);
std::string sample_hash(const ShardSample& sample);  // in hexadecimal

// Makes the folder and its plan. ConfigError when the folder holds another
// plan: names what differs and what to do.
void open_dataset(const std::filesystem::path& folder, const DatasetPlan& plan);

// True when the shard's index and tar stand, or the data set is complete.
// A damaged index counts as not done. Costs two stats and a small read.
bool shard_done(const std::filesystem::path& folder, std::int64_t shard);
bool dataset_done(const std::filesystem::path& folder);

// The shards that are not done, from one listing of the folder: for planning.
// An index is taken to be whole; finalize_dataset looks into it.
std::vector<std::int64_t> missing_shards(const std::filesystem::path& folder,
                                         const DatasetPlan& plan);

// Commits all samples of one shard; nothing happens when it is done already.
// DataError when another worker committed other pixels for it.
void commit_shard(const std::filesystem::path& folder, const DatasetPlan& plan,
                  std::int64_t shard, const std::vector<ShardSample>& samples);

// Gives the shards their plain names, then writes shards.jsonl and, last,
// manifest.json; holds one shard's index at a time. Harmless when repeated.
// DataError when a shard is missing, or when an index is damaged or without its
// tar: that shard then counts as not made, so that running again makes it.
Manifest finalize_dataset(const std::filesystem::path& folder,
                          const DatasetPlan& plan);

// Removes what kills and other workers left in a finished data set's folder.
void remove_leftovers(const std::filesystem::path& folder);

}  // namespace sono
