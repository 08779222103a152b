// `sonoforge verify PATH`: every file against its checksum.

#include <cstdio>

#include "core/error.h"
#include "data/shards/reader.h"
#include "dist/checkpoint/manifest.h"
#include "launch/commands/commands.h"
#include "launch/commands/path_kind.h"
#include "launch/options/command_line.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

// The message of what is wrong with one data set or checkpoint; empty when all
// is well.
std::string problem_with(const fs::path& path) {
  try {
    if (kind_of(path) == PathKind::kDataset) {
      verify_dataset(path);
    } else {
      verify_checkpoint(path);
    }
    return "";
  } catch (const DataError& error) {
    return error.what();
  }
}

std::vector<fs::path> artifacts_of(const fs::path& path) {
  switch (kind_of(path)) {
    case PathKind::kDataset:
    case PathKind::kCheckpoint:
      return {path};
    case PathKind::kRun:
    case PathKind::kFolder:
      return artifacts_below(path);
    case PathKind::kWeights:
      break;
  }
  throw DataError(path.string() +
                  ": a single weights file carries no checksum; verify the "
                  "checkpoint folder it belongs to");
}

}  // namespace

int verify_command(const Arguments& args) {
  std::string path;
  CommandLine line("verify PATH",
                   "Checks every file of data sets and checkpoints against its "
                   "checksum. Ends 0 when all\nare whole, 3 with the names of "
                   "the bad files otherwise.");
  line.argument("PATH", &path,
                "a run, a data set, a checkpoint, or a folder that holds them");
  if (!line.parse(args)) return 0;

  std::string problems;
  const auto artifacts = artifacts_of(path);
  for (const fs::path& artifact : artifacts) {
    const std::string problem = problem_with(artifact);
    if (problem.empty()) std::printf("%s: whole\n", artifact.c_str());
    if (!problem.empty()) problems += (problems.empty() ? "" : "\n") + problem;
  }
  if (!problems.empty()) throw DataError(problems);
  if (artifacts.empty()) {
    throw DataError(path + ": holds no data set and no checkpoint to verify");
  }
  return 0;
}

}  // namespace sono
