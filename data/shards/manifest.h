#pragma once
// What stands in a data set's folder, and in what order it comes to be:
//
//   plan.json                    made first: count, shard size, hashes
//   shard-000012.<sha256>.tar    a finished shard, by rename
//   shard-000012.json            its entry, which names that tar; first one
//   wins shard-000012.tar             the same tar under its plain name
//   manifest.json                all entries and the data set's hash; last
//
// A shard is finished once its entry stands; a data set once manifest.json
// does. The entries are then gone. The data set's hash is over pixels and
// provenance, not over PNG bytes, which depend on the zlib build; it is the
// same for any shard size, number of workers and crash history.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

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

// Where one file lies in its tar.
struct MemberEntry {
  std::int64_t offset = 0;  // of the first data byte in the tar
  std::int64_t size_bytes = 0;
  std::uint32_t crc = 0;  // CRC-32
};

struct SampleEntry {
  std::string key;   // "000123"
  std::string hash;  // SHA-256 over key, pixels and provenance
  MemberEntry image, mask, provenance;
};

struct ShardEntry {
  std::int64_t shard = 0;
  std::string tar_sha256;
  std::int64_t tar_size_bytes = 0;
  std::vector<SampleEntry> samples;
};

struct Manifest {
  DatasetPlan plan;
  std::string dataset_hash;
  std::vector<ShardEntry> shards;  // in order
};

void to_json(nlohmann::json& json, const DatasetPlan& plan);
void from_json(const nlohmann::json& json, DatasetPlan& plan);
void to_json(nlohmann::json& json, const ShardEntry& entry);
void from_json(const nlohmann::json& json, ShardEntry& entry);
void to_json(nlohmann::json& json, const Manifest& manifest);
void from_json(const nlohmann::json& json, Manifest& manifest);

// "000123"; keys sort like their samples up to a million, and are unique after.
std::string sample_key(std::int64_t sample);

std::filesystem::path plan_path(const std::filesystem::path& folder);
std::filesystem::path manifest_path(const std::filesystem::path& folder);
std::filesystem::path entry_path(const std::filesystem::path& folder,
                                 std::int64_t shard);
// "shard-000012.tar", and the name before the data set is complete.
std::filesystem::path tar_path(const std::filesystem::path& folder,
                               std::int64_t shard);
std::filesystem::path working_tar_path(const std::filesystem::path& folder,
                                       const ShardEntry& entry);

// The SHA-256 over the sample hashes in order.
std::string dataset_hash(const std::vector<ShardEntry>& shards);

// The text of a file of this folder: the object with a checksum over itself.
std::string sealed(nlohmann::json object);

// None when the file is missing; DataError naming it when it is damaged.
std::optional<DatasetPlan> read_plan(const std::filesystem::path& folder);
std::optional<ShardEntry> read_entry(const std::filesystem::path& folder,
                                     std::int64_t shard);
std::optional<Manifest> read_manifest(const std::filesystem::path& folder);

}  // namespace sono
