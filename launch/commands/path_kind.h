#pragma once
// What a path given to `inspect` or `verify` holds.

#include <filesystem>
#include <vector>

namespace sono {

enum class PathKind {
  kRun,         // a run folder: config.ini and run.json
  kDataset,     // shards: plan.json
  kCheckpoint,  // one checkpoint: a folder with manifest.json and weights
  kWeights,     // a .safetensors file
  kFolder,      // any other folder: a cohort, or one that holds the above
};

// DataError when there is nothing at `path`, or a file of another kind.
PathKind kind_of(const std::filesystem::path& path);

// The data sets and checkpoints below `folder`, sorted by path.
std::vector<std::filesystem::path> artifacts_below(
    const std::filesystem::path& folder);

}  // namespace sono
