#include "launch/commands/path_kind.h"

#include <algorithm>

#include "core/error.h"
#include "data/shards/manifest.h"

namespace fs = std::filesystem;

namespace sono {

PathKind kind_of(const fs::path& path) {
  if (!fs::exists(path)) {
    throw DataError(path.string() + ": no such file or folder");
  }
  if (!fs::is_directory(path)) {
    if (path.extension() == ".safetensors") return PathKind::kWeights;
    throw DataError(path.string() +
                    ": expected a run, a data set, a checkpoint or a cohort "
                    "(folders), or a .safetensors file");
  }
  if (fs::exists(path / "run.json") && fs::exists(path / "config.ini")) {
    return PathKind::kRun;
  }
  if (fs::exists(plan_path(path))) return PathKind::kDataset;
  if (fs::exists(path / "model.safetensors")) return PathKind::kCheckpoint;
  return PathKind::kFolder;
}

std::vector<fs::path> artifacts_below(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    const PathKind kind = kind_of(entry.path());
    if (kind == PathKind::kDataset || kind == PathKind::kCheckpoint) {
      found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace sono
