#pragma once
// What stands in a data set's folder, and in what order it comes to be:
//
//   plan.json                    made first: count, shard size, hashes
//   shard-000012.<sha256>.tar    a finished shard, by rename
//   shard-000012.index           its index, which names that tar; first one
//                                wins (data/shards/shard_index.h)
//   shard-000012.tar             the same tar under its plain name
//   shards.jsonl                 one line a shard: hashes, sizes, counts
//   manifest.json                the data set's hash and totals; last
//
// A shard is finished once its index stands; a data set once manifest.json
// does. Nothing but shards.jsonl grows with the count, and only verification
// and mending read it whole. The data set's hash is over pixels and provenance,
// not over PNG bytes, which depend on the library build; it is the same for any
// shard size, number of workers and crash history.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "data/shards/shard_index.h"

namespace sono {

// What is to be made; every worker brings the same plan.
struct DatasetPlan {
  std::int64_t count = 0;  // samples in all
  std::int64_t samples_per_shard = 64;
  std::string config_hash = "";   // of the options that decide the samples
  std::string weights_hash = "";  // of the generator; may be empty

  // ConfigError naming the field.
  void validate() const;
  std::int64_t num_shards() const;
  std::int64_t first_sample(std::int64_t shard) const;
  std::int64_t samples_in(std::int64_t shard) const;
  bool operator==(const DatasetPlan&) const = default;
};

// A line of shards.jsonl.
struct ShardRecord {
  std::int64_t shard = 0;
  std::string tar_sha256;
  std::int64_t tar_size_bytes = 0;
  std::string index_sha256;
  std::string samples_sha256;  // over the samples' hashes in order
  std::int64_t count = 0;
  std::int64_t accepted = 0;
};

struct Manifest {
  DatasetPlan plan;
  std::string dataset_hash;
  std::int64_t accepted = 0;                     // by the gate
  std::map<std::string, std::int64_t> rejected;  // by reason
  std::string shards_sha256;                     // of shards.jsonl
};

void to_json(nlohmann::json& json, const DatasetPlan& plan);
void from_json(const nlohmann::json& json, DatasetPlan& plan);
void to_json(nlohmann::json& json, const ShardRecord& record);
void from_json(const nlohmann::json& json, ShardRecord& record);
void to_json(nlohmann::json& json, const Manifest& manifest);
void from_json(const nlohmann::json& json, Manifest& manifest);

std::filesystem::path plan_path(const std::filesystem::path& folder);
std::filesystem::path manifest_path(const std::filesystem::path& folder);
std::filesystem::path records_path(const std::filesystem::path& folder);
std::filesystem::path index_path(const std::filesystem::path& folder,
                                 std::int64_t shard);
// "shard-000012.tar", and the name before the data set is complete.
std::filesystem::path tar_path(const std::filesystem::path& folder,
                               std::int64_t shard);
std::filesystem::path working_tar_path(const std::filesystem::path& folder,
                                       const ShardIndex& index);

// The record of a shard whose index, as it stands on the disk, is
// `index_bytes`.
ShardRecord record_of(const ShardIndex& index, std::string_view index_bytes);

// The SHA-256 over the hexadecimal sample hashes in order, fed shard by shard.
class SamplesHash {
 public:
  void add(const ShardIndex& index);
  std::string hex() { return hash_.hex(); }

 private:
  Sha256 hash_;
};

// The text of a file of this folder: the object with a checksum over itself.
std::string sealed(nlohmann::json object);

// None when the file is missing. DataError naming it when it is damaged, is of
// an older format, or (an index) belongs to another shard.
std::optional<DatasetPlan> read_plan(const std::filesystem::path& folder);
std::optional<Manifest> read_manifest(const std::filesystem::path& folder);
std::optional<ShardIndex> read_index(const std::filesystem::path& folder,
                                     std::int64_t shard);

// The lines of shards.jsonl one by one, in order of the shards.
class RecordReader {
 public:
  // DataError when the file is missing.
  explicit RecordReader(const std::filesystem::path& folder);
  // None after the last. DataError when a line is damaged.
  std::optional<ShardRecord> next();

 private:
  std::filesystem::path path_;
  std::ifstream file_;
  std::int64_t expected_ = 0;
};

// Reads the plan or manifest of format 1, in which the manifest held every
// sample; none when there is none such. For bringing it up to date alone.
std::optional<nlohmann::json> read_format_1(const std::filesystem::path& path);

}  // namespace sono
