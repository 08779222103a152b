#pragma once
// What a checkpoint folder holds, and whether it is whole.
//
//   step-00000400/
//     model.safetensors      parameters
//     optimizer.safetensors  exp_avg.<name>, exp_avg_sq.<name>
//     ema.safetensors        moving average, when one is kept
//     state.json             CheckpointState
//     manifest.json          sizes and checksums; written last
//
// A folder without manifest.json is an unfinished save and is passed over.
// Nothing here depends on the number of ranks, on the host or on time.

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dist/optimizer.h"

namespace sono {

constexpr std::uint64_t kChecksumBlockBytes = std::uint64_t{1} << 20;

// Everything a run needs, besides tensors, to go on exactly.
struct CheckpointState {
  std::int64_t step = 0;  // steps done
  OptimizerState optimizer;
  std::uint64_t seed = 0;
  int lanes = 0;
  std::string config_hash;
  double loss = 0;  // of the last step; may be NaN

  nlohmann::json to_json() const;
  // Throws nlohmann::json::exception when a field is missing.
  static CheckpointState from_json(const nlohmann::json& json);
};

struct ManifestFile {
  std::uint64_t bytes = 0;
  std::string sha256;
  std::vector<std::uint32_t> crc32;  // one for each block of 1 MiB
};

struct CheckpointManifest {
  std::map<std::string, ManifestFile> files;

  nlohmann::json to_json() const;
  static CheckpointManifest from_json(const nlohmann::json& json);
};

// "step-00000400".
std::string checkpoint_name(std::int64_t step);
// Folders of that form in `root` that have a manifest, newest first.
std::vector<std::filesystem::path> list_checkpoints(
    const std::filesystem::path& root);
// Checks every file against the manifest. DataError naming the file, and the
// first bad block where checksums differ.
CheckpointState verify_checkpoint(const std::filesystem::path& folder);

}  // namespace sono
