#include "data/shards/manifest.h"

#include <algorithm>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/option.h"

namespace sono {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFormatVersion = 2;
constexpr const char* kChecksum = "checksum";

// The object without its checksum; DataError when the two do not agree.
json unseal(json object, const fs::path& path) {
  const std::string checksum = object.at(kChecksum).get<std::string>();
  object.erase(kChecksum);
  if (sha256_hex(object.dump()) != checksum) {
    throw DataError(path.string() + ": damaged (wrong checksum)");
  }
  return object;
}

std::optional<json> read_unsealed(const fs::path& path) {
  if (!fs::exists(path)) return std::nullopt;
  try {
    return unseal(json::parse(read_file(path)), path);
  } catch (const json::exception& error) {
    throw DataError(path.string() + ": damaged (" + error.what() + ")");
  }
}

template <class T>
std::optional<T> read_sealed(const fs::path& path) {
  const auto object = read_unsealed(path);
  if (!object) return std::nullopt;
  try {
    if (object->at("format").get<int>() < kFormatVersion) {
      throw DataError(path.string() +
                      ": made by an older version; `sonoforge verify --mend " +
                      path.parent_path().string() +
                      "` brings its index up to date, the images stay");
    }
    return object->get<T>();
  } catch (const json::exception& error) {
    throw DataError(path.string() + ": damaged (" + error.what() + ")");
  }
}

fs::path shard_file(const fs::path& folder, std::int64_t shard,
                    const std::string& ending) {
  return folder / ("shard-" + sample_key(shard) + ending);
}

}  // namespace

void DatasetPlan::validate() const {
  check_range("count", static_cast<double>(count), 1, 1e9);
  check_range("samples_per_shard", static_cast<double>(samples_per_shard), 1,
              1e5);
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

void to_json(json& object, const ShardRecord& record) {
  object = {{"shard", record.shard},
            {"sha256", record.tar_sha256},
            {"size_bytes", record.tar_size_bytes},
            {"index_sha256", record.index_sha256},
            {"samples_sha256", record.samples_sha256},
            {"count", record.count},
            {"accepted", record.accepted}};
}

void from_json(const json& object, ShardRecord& record) {
  record.shard = object.at("shard").get<std::int64_t>();
  record.tar_sha256 = object.at("sha256").get<std::string>();
  record.tar_size_bytes = object.at("size_bytes").get<std::int64_t>();
  record.index_sha256 = object.at("index_sha256").get<std::string>();
  record.samples_sha256 = object.at("samples_sha256").get<std::string>();
  record.count = object.at("count").get<std::int64_t>();
  record.accepted = object.at("accepted").get<std::int64_t>();
}

void to_json(json& object, const Manifest& manifest) {
  object = json(manifest.plan);
  object["dataset_hash"] = manifest.dataset_hash;
  object["accepted"] = manifest.accepted;
  object["rejected"] = manifest.rejected;
  object["shards_sha256"] = manifest.shards_sha256;
}

void from_json(const json& object, Manifest& manifest) {
  manifest.plan = object.get<DatasetPlan>();
  manifest.dataset_hash = object.at("dataset_hash").get<std::string>();
  manifest.accepted = object.at("accepted").get<std::int64_t>();
  object.at("rejected").get_to(manifest.rejected);
  manifest.shards_sha256 = object.at("shards_sha256").get<std::string>();
}

fs::path plan_path(const fs::path& folder) { return folder / "plan.json"; }

fs::path manifest_path(const fs::path& folder) {
  return folder / "manifest.json";
}

fs::path records_path(const fs::path& folder) {
  return folder / "shards.jsonl";
}

fs::path index_path(const fs::path& folder, std::int64_t shard) {
  return shard_file(folder, shard, ".index");
}

fs::path tar_path(const fs::path& folder, std::int64_t shard) {
  return shard_file(folder, shard, ".tar");
}

fs::path working_tar_path(const fs::path& folder, const ShardIndex& index) {
  return shard_file(folder, index.shard,
                    "." + to_hex(index.tar_sha256) + ".tar");
}

ShardRecord record_of(const ShardIndex& index, std::string_view index_bytes) {
  SamplesHash samples;
  samples.add(index);
  return {.shard = index.shard,
          .tar_sha256 = to_hex(index.tar_sha256),
          .tar_size_bytes = index.tar_size_bytes,
          .index_sha256 = sha256_hex(index_bytes),
          .samples_sha256 = samples.hex(),
          .count = static_cast<std::int64_t>(index.samples.size()),
          .accepted = index.accepted()};
}

void SamplesHash::add(const ShardIndex& index) {
  for (const SampleEntry& sample : index.samples) {
    hash_.update(to_hex(sample.hash));
  }
}

std::string sealed(json object) {
  object[kChecksum] = sha256_hex(object.dump());
  return object.dump(1) + "\n";
}

std::optional<DatasetPlan> read_plan(const fs::path& folder) {
  return read_sealed<DatasetPlan>(plan_path(folder));
}

std::optional<Manifest> read_manifest(const fs::path& folder) {
  return read_sealed<Manifest>(manifest_path(folder));
}

std::optional<ShardIndex> read_index(const fs::path& folder,
                                     std::int64_t shard) {
  const fs::path path = index_path(folder, shard);
  if (!fs::exists(path)) return std::nullopt;
  ShardIndex index = parse_index(read_file(path), path.string());
  if (index.shard != shard) {
    throw DataError(path.string() + ": damaged (the index of another shard)");
  }
  return index;
}

RecordReader::RecordReader(const fs::path& folder)
    : path_(records_path(folder)), file_(path_, std::ios::binary) {
  if (!file_) throw DataError(path_.string() + ": missing");
}

std::optional<ShardRecord> RecordReader::next() {
  std::string line;
  if (!std::getline(file_, line)) {
    if (file_.bad()) throw DataError(path_.string() + ": read error");
    return std::nullopt;
  }
  try {
    auto record = json::parse(line).get<ShardRecord>();
    if (record.shard != expected_++) {
      throw DataError(path_.string() + ": damaged (a shard is missing)");
    }
    return record;
  } catch (const json::exception& error) {
    throw DataError(path_.string() + ": damaged (" + error.what() + ")");
  }
}

std::optional<json> read_format_1(const fs::path& path) {
  auto object = read_unsealed(path);
  if (!object || object->value("format", 0) != 1) return std::nullopt;
  return object;
}

}  // namespace sono
