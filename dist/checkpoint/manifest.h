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
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "dist/optimizer.h"

namespace sono {

constexpr std::int64_t kCheckpointBlockBytes = std::int64_t{1} << 20;

// Everything a run needs, besides tensors, to go on exactly.
struct CheckpointState {
  std::int64_t step = 0;  // steps done
  OptimizerState optimizer;
  std::uint64_t seed = 0;
  int lanes = 0;
  std::string config_hash;
  double loss = 0;  // of the last step; may be NaN

  nlohmann::json to_json() const;
  // Errors as of CheckpointManifest::from_json.
  static CheckpointState from_json(const nlohmann::json& json);
};

// Checksums of one block of 1 MiB (the last block of a file is shorter).
struct BlockSum {
  std::uint32_t crc32;
  Sha256Digest sha256;
};
BlockSum block_sum(std::string_view block);

struct ManifestFile {
  std::uint64_t bytes = 0;
  // Over the SHA-256 digests of the blocks, in order: as strong as one over
  // the file, but each rank can hash its own blocks.
  std::string blocks_sha256;
  std::vector<std::uint32_t> crc32;  // of each block

  static ManifestFile from_blocks(std::uint64_t bytes,
                                  const std::vector<BlockSum>& blocks);
};

struct CheckpointManifest {
  std::map<std::string, ManifestFile> files;

  nlohmann::json to_json() const;
  // Throws nlohmann::json::exception or DataError when it is damaged,
  // ConfigError when another version of the program made it.
  static CheckpointManifest from_json(const nlohmann::json& json);
};

// "step-00000400".
std::string checkpoint_name(std::int64_t step);
// Folders of that form in `root` that have a manifest, newest first.
std::vector<std::filesystem::path> list_checkpoints(
    const std::filesystem::path& root);

}  // namespace sono
