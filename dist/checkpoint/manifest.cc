#include "dist/checkpoint/manifest.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/error.h"

namespace sono {
namespace {

constexpr int kFormatVersion = 2;

// -1 when the name is not that of a checkpoint.
std::int64_t step_of(const std::string& name) {
  constexpr std::string_view kPrefix = "step-";
  if (!name.starts_with(kPrefix) || name.size() < kPrefix.size() + 8 ||
      name.size() > kPrefix.size() + 18) {
    return -1;
  }
  const std::string digits = name.substr(kPrefix.size());
  if (digits.find_first_not_of("0123456789") != std::string::npos) return -1;
  return std::stoll(digits);
}

void check_version(const nlohmann::json& json, const char* file) {
  const auto& version = json.at("version");
  if (version == kFormatVersion) return;
  throw ConfigError(std::string(file) + " has version " + version.dump() +
                    ", this program reads version " +
                    std::to_string(kFormatVersion) +
                    "; go on with the program that made it, or choose another "
                    "output folder");
}

}  // namespace

nlohmann::json CheckpointState::to_json() const {
  return {{"version", kFormatVersion},
          {"step", step},
          {"updates", optimizer.updates},
          {"skipped", optimizer.skipped},
          {"skipped_in_row", optimizer.skipped_in_row},
          {"seed", seed},
          {"lanes", lanes},
          {"config_hash", config_hash},
          {"loss", std::isfinite(loss) ? nlohmann::json(loss)
                                       : nlohmann::json(nullptr)}};
}

CheckpointState CheckpointState::from_json(const nlohmann::json& json) {
  CheckpointState state;
  check_version(json, "state.json");
  json.at("step").get_to(state.step);
  json.at("updates").get_to(state.optimizer.updates);
  json.at("skipped").get_to(state.optimizer.skipped);
  json.at("skipped_in_row").get_to(state.optimizer.skipped_in_row);
  json.at("seed").get_to(state.seed);
  json.at("lanes").get_to(state.lanes);
  json.at("config_hash").get_to(state.config_hash);
  state.loss = json.at("loss").is_null()
                   ? std::numeric_limits<double>::quiet_NaN()
                   : json.at("loss").get<double>();
  return state;
}

BlockSum block_sum(std::string_view block) {
  return {crc32(block.data(), block.size()), sha256(block)};
}

ManifestFile ManifestFile::from_blocks(std::uint64_t bytes,
                                       const std::vector<BlockSum>& blocks) {
  ManifestFile file{bytes, "", {}};
  Sha256 hash;
  for (const BlockSum& block : blocks) {
    hash.update(block.sha256.data(), block.sha256.size());
    file.crc32.push_back(block.crc32);
  }
  file.blocks_sha256 = hash.hex();
  return file;
}

nlohmann::json CheckpointManifest::to_json() const {
  nlohmann::json json = {{"version", kFormatVersion},
                         {"block_bytes", kCheckpointBlockBytes},
                         {"files", nlohmann::json::object()}};
  for (const auto& [name, file] : files) {
    json["files"][name] = {{"bytes", file.bytes},
                           {"blocks_sha256", file.blocks_sha256},
                           {"crc32", file.crc32}};
  }
  return json;
}

CheckpointManifest CheckpointManifest::from_json(const nlohmann::json& json) {
  check_version(json, "manifest.json");
  if (json.at("block_bytes") != kCheckpointBlockBytes) {
    throw DataError("manifest.json: unknown size of blocks");
  }
  CheckpointManifest manifest;
  for (const auto& [name, value] : json.at("files").items()) {
    ManifestFile& file = manifest.files[name];
    value.at("bytes").get_to(file.bytes);
    value.at("blocks_sha256").get_to(file.blocks_sha256);
    value.at("crc32").get_to(file.crc32);
    const auto blocks =
        (file.bytes + kCheckpointBlockBytes - 1) / kCheckpointBlockBytes;
    if (name.find('/') != std::string::npos || file.crc32.size() != blocks) {
      throw DataError("manifest.json: bad entry " + name);
    }
  }
  return manifest;
}

std::string checkpoint_name(std::int64_t step) {
  char name[32];
  std::snprintf(name, sizeof(name), "step-%08lld",
                static_cast<long long>(step));
  return name;
}

std::vector<std::filesystem::path> list_checkpoints(
    const std::filesystem::path& root) {
  std::vector<std::pair<std::int64_t, std::filesystem::path>> found;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(root, code)) {
    const std::int64_t step = step_of(entry.path().filename().string());
    if (step >= 0 && std::filesystem::exists(entry.path() / "manifest.json")) {
      found.emplace_back(step, entry.path());
    }
  }
  std::sort(found.rbegin(), found.rend());
  std::vector<std::filesystem::path> paths;
  for (auto& [step, path] : found) paths.push_back(std::move(path));
  return paths;
}

}  // namespace sono
