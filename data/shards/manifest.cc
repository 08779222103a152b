#include "data/shards/manifest.h"

#include <algorithm>
#include <cstdio>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/option.h"

namespace sono {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFormatVersion = 1;
constexpr std::int64_t kMaxMemberBytes = 1 << 30;
constexpr const char* kChecksum = "checksum";

std::string six_digits(std::int64_t number) {
  char text[24];
  std::snprintf(text, sizeof(text), "%06lld", static_cast<long long>(number));
  return text;
}

json member_json(const MemberEntry& member) {
  return json::array({member.offset, member.size_bytes, member.crc});
}

MemberEntry member_from(const json& array) {
  const MemberEntry member{array.at(0).get<std::int64_t>(),
                           array.at(1).get<std::int64_t>(),
                           array.at(2).get<std::uint32_t>()};
  if (member.offset < 0 || member.size_bytes < 0 ||
      member.size_bytes > kMaxMemberBytes) {
    throw json::other_error::create(500, "member out of range", &array);
  }
  return member;
}

json sample_json(const SampleEntry& sample) {
  return {{"key", sample.key},
          {"hash", sample.hash},
          {"image", member_json(sample.image)},
          {"mask", member_json(sample.mask)},
          {"json", member_json(sample.provenance)}};
}

SampleEntry sample_from(const json& object) {
  return {object.at("key").get<std::string>(),
          object.at("hash").get<std::string>(), member_from(object.at("image")),
          member_from(object.at("mask")), member_from(object.at("json"))};
}

// The object without its checksum; DataError when the two do not agree.
json unseal(json object, const fs::path& path) {
  const std::string checksum = object.at(kChecksum).get<std::string>();
  object.erase(kChecksum);
  if (sha256_hex(object.dump()) != checksum) {
    throw DataError(path.string() + ": damaged (wrong checksum)");
  }
  return object;
}

template <class T>
std::optional<T> read_sealed(const fs::path& path) {
  if (!fs::exists(path)) return std::nullopt;
  try {
    return unseal(json::parse(read_file(path)), path).get<T>();
  } catch (const json::exception& error) {
    throw DataError(path.string() + ": damaged (" + error.what() + ")");
  }
}

void check_consistent(const Manifest& manifest, const fs::path& path) {
  const auto num_shards = static_cast<std::int64_t>(manifest.shards.size());
  bool complete = num_shards == manifest.plan.num_shards() &&
                  dataset_hash(manifest.shards) == manifest.dataset_hash;
  for (std::int64_t k = 0; complete && k < num_shards; ++k) {
    const auto& entry = manifest.shards[static_cast<std::size_t>(k)];
    complete =
        entry.shard == k && static_cast<std::int64_t>(entry.samples.size()) ==
                                manifest.plan.samples_in(k);
  }
  if (!complete) {
    throw DataError(path.string() +
                    ": damaged (its shards do not add up to its hash)");
  }
}

}  // namespace

void DatasetPlan::validate() const {
  check_range("count", static_cast<double>(count), 1, 1e9);
  check_range("samples_per_shard", static_cast<double>(samples_per_shard), 1,
              1e6);
  if (config_hash.empty()) throw ConfigError("config_hash must not be empty");
}

std::int64_t DatasetPlan::num_shards() const {
  return (count + samples_per_shard - 1) / samples_per_shard;
}

std::int64_t DatasetPlan::first_sample(std::int64_t shard) const {
  return shard * samples_per_shard;
}

std::int64_t DatasetPlan::samples_in(std::int64_t shard) const {
  return std::min(samples_per_shard, count - first_sample(shard));
}

void to_json(json& object, const DatasetPlan& plan) {
  object = {{"format", kFormatVersion},
            {"count", plan.count},
            {"samples_per_shard", plan.samples_per_shard},
            {"config_hash", plan.config_hash},
            {"weights_hash", plan.weights_hash}};
}

void from_json(const json& object, DatasetPlan& plan) {
  plan.count = object.at("count").get<std::int64_t>();
  plan.samples_per_shard = object.at("samples_per_shard").get<std::int64_t>();
  plan.config_hash = object.at("config_hash").get<std::string>();
  plan.weights_hash = object.at("weights_hash").get<std::string>();
  if (plan.count < 1 || plan.samples_per_shard < 1) {
    throw json::other_error::create(500, "counts below 1", &object);
  }
}

void to_json(json& object, const ShardEntry& entry) {
  json samples = json::array();
  for (const auto& sample : entry.samples)
    samples.push_back(sample_json(sample));
  object = {{"shard", entry.shard},
            {"file", tar_path("", entry.shard).string()},
            {"sha256", entry.tar_sha256},
            {"size_bytes", entry.tar_size_bytes},
            {"samples", std::move(samples)}};
}

void from_json(const json& object, ShardEntry& entry) {
  entry.shard = object.at("shard").get<std::int64_t>();
  entry.tar_sha256 = object.at("sha256").get<std::string>();
  entry.tar_size_bytes = object.at("size_bytes").get<std::int64_t>();
  entry.samples.clear();
  for (const auto& sample : object.at("samples")) {
    entry.samples.push_back(sample_from(sample));
  }
}

void to_json(json& object, const Manifest& manifest) {
  object = json(manifest.plan);
  object["dataset_hash"] = manifest.dataset_hash;
  object["shards"] = manifest.shards;
}

void from_json(const json& object, Manifest& manifest) {
  manifest.plan = object.get<DatasetPlan>();
  manifest.dataset_hash = object.at("dataset_hash").get<std::string>();
  manifest.shards = object.at("shards").get<std::vector<ShardEntry>>();
}

std::string sealed(json object) {
  object[kChecksum] = sha256_hex(object.dump());
  return object.dump(1) + "\n";
}

std::string sample_key(std::int64_t sample) { return six_digits(sample); }

fs::path plan_path(const fs::path& folder) { return folder / "plan.json"; }

fs::path manifest_path(const fs::path& folder) {
  return folder / "manifest.json";
}

fs::path entry_path(const fs::path& folder, std::int64_t shard) {
  return folder / ("shard-" + six_digits(shard) + ".json");
}

fs::path tar_path(const fs::path& folder, std::int64_t shard) {
  return folder / ("shard-" + six_digits(shard) + ".tar");
}

fs::path working_tar_path(const fs::path& folder, const ShardEntry& entry) {
  return folder /
         ("shard-" + six_digits(entry.shard) + "." + entry.tar_sha256 + ".tar");
}

std::string dataset_hash(const std::vector<ShardEntry>& shards) {
  Sha256 hash;
  for (const auto& shard : shards) {
    for (const auto& sample : shard.samples) hash.update(sample.hash);
  }
  return hash.hex();
}

std::optional<DatasetPlan> read_plan(const fs::path& folder) {
  return read_sealed<DatasetPlan>(plan_path(folder));
}

std::optional<ShardEntry> read_entry(const fs::path& folder,
                                     std::int64_t shard) {
  return read_sealed<ShardEntry>(entry_path(folder, shard));
}

std::optional<Manifest> read_manifest(const fs::path& folder) {
  auto manifest = read_sealed<Manifest>(manifest_path(folder));
  if (manifest) check_consistent(*manifest, manifest_path(folder));
  return manifest;
}

}  // namespace sono
