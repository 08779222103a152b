// `sonoforge verify PATH`: every file against its checksum; `--mend` removes
// the damaged shards so that the run which made them makes them anew.

#include "dist/checkpoint/verify.h"

#include <algorithm>
#include <cstdio>

#include "core/error.h"
#include "data/shards/verify.h"
#include "experiments/stage.h"
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

std::string remedy(const MendReport& report, std::int64_t shard) {
  const auto is_in = [&](const std::vector<std::int64_t>& shards) {
    return std::find(shards.begin(), shards.end(), shard) != shards.end();
  };
  if (is_in(report.rebuilt)) return "index made again from the tar";
  if (is_in(report.removed)) return "shard removed";
  return report.complete ? "made again" : "to be made again";
}

// Mends a data set and says how on standard output. Where shards have to be
// generated again, the stage that holds it becomes unfinished. False when the
// data set is whole.
bool mend(const fs::path& dataset) {
  const MendReport report = mend_dataset(dataset);
  if (report.problems.empty()) return false;
  for (const auto& problem : report.problems) {
    std::printf("%s; %s\n", problem.message.c_str(),
                remedy(report, problem.shard).c_str());
  }
  if (report.complete) {
    std::printf("%s: whole again\n", dataset.c_str());
    return true;
  }
  const fs::path stage = fs::canonical(dataset).parent_path();
  if (reopen_stage(stage)) {
    std::printf("%s: marked unfinished\n", stage.c_str());
  }
  std::printf(
      "%s: run the same command as before to make the missing shards "
      "anew\n",
      dataset.c_str());
  return true;
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
  bool mending = false;
  CommandLine line("verify PATH [--mend]",
                   "Checks every file of data sets and checkpoints against its "
                   "checksum. Ends 0 when all\nare whole, 3 with the names of "
                   "the bad files otherwise.");
  line.argument("PATH", &path,
                "a run, a data set, a checkpoint, or a folder that holds them");
  line.flag("mend", &mending, "",
            "make lost indexes again and remove damaged shards, so that the "
            "command that made them makes them, and only them, anew; ends 0 "
            "unless a checkpoint is damaged");
  if (!line.parse(args)) return 0;

  std::string problems;
  const auto artifacts = artifacts_of(path);
  for (const fs::path& artifact : artifacts) {
    if (mending && kind_of(artifact) == PathKind::kDataset && mend(artifact)) {
      continue;
    }
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
