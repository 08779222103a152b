#include "dist/checkpoint/manifest.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"

namespace sono {
namespace {

constexpr int kFormatVersion = 1;

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

void verify_file(const std::filesystem::path& path, const ManifestFile& file) {
  std::error_code code;
  const auto size = std::filesystem::file_size(path, code);
  if (code) throw DataError(path.string() + ": missing from the checkpoint");
  if (size != file.bytes) {
    throw DataError(path.string() + ": has " + std::to_string(size) +
                    " bytes, its manifest says " + std::to_string(file.bytes));
  }
  std::ifstream stream(path, std::ios::binary);
  std::string block(kChecksumBlockBytes, '\0');
  Sha256 hash;
  for (std::size_t i = 0; i < file.crc32.size(); ++i) {
    stream.read(block.data(), static_cast<std::streamsize>(block.size()));
    const auto count = static_cast<std::size_t>(stream.gcount());
    if (crc32(block.data(), count) != file.crc32[i]) {
      throw DataError(path.string() + ": checksum of block " +
                      std::to_string(i) + " (from byte " +
                      std::to_string(i * kChecksumBlockBytes) + ") is wrong");
    }
    hash.update(block.data(), count);
  }
  if (hash.hex() != file.sha256) {
    throw DataError(path.string() + ": SHA-256 differs from the manifest");
  }
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
  if (json.at("version") != kFormatVersion) {
    throw DataError("state.json: version " + json.at("version").dump() +
                    ", this program reads version " +
                    std::to_string(kFormatVersion));
  }
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

nlohmann::json CheckpointManifest::to_json() const {
  nlohmann::json json = {{"version", kFormatVersion},
                         {"block_bytes", kChecksumBlockBytes},
                         {"files", nlohmann::json::object()}};
  for (const auto& [name, file] : files) {
    json["files"][name] = {
        {"bytes", file.bytes}, {"sha256", file.sha256}, {"crc32", file.crc32}};
  }
  return json;
}

CheckpointManifest CheckpointManifest::from_json(const nlohmann::json& json) {
  if (json.at("version") != kFormatVersion ||
      json.at("block_bytes") != kChecksumBlockBytes) {
    throw DataError("unknown version or block size");
  }
  CheckpointManifest manifest;
  for (const auto& [name, value] : json.at("files").items()) {
    ManifestFile& file = manifest.files[name];
    value.at("bytes").get_to(file.bytes);
    value.at("sha256").get_to(file.sha256);
    value.at("crc32").get_to(file.crc32);
    const auto blocks =
        (file.bytes + kChecksumBlockBytes - 1) / kChecksumBlockBytes;
    if (name.find('/') != std::string::npos || file.crc32.size() != blocks) {
      throw DataError("bad entry " + name);
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

CheckpointState verify_checkpoint(const std::filesystem::path& folder) {
  const auto manifest_path = folder / "manifest.json";
  try {
    const auto manifest = CheckpointManifest::from_json(
        nlohmann::json::parse(read_file(manifest_path)));
    for (const char* name :
         {"model.safetensors", "optimizer.safetensors", "state.json"}) {
      if (!manifest.files.contains(name)) {
        throw DataError(manifest_path.string() + ": does not list " + name);
      }
    }
    for (const auto& [name, file] : manifest.files) {
      verify_file(folder / name, file);
    }
    return CheckpointState::from_json(
        nlohmann::json::parse(read_file(folder / "state.json")));
  } catch (const nlohmann::json::exception& e) {
    throw DataError(folder.string() +
                    ": manifest.json or state.json: " + e.what());
  }
}

}  // namespace sono
