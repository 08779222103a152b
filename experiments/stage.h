#pragma once
// A recipe is a small graph of stages. A stage's folder is named by the hash of
// its inputs, so a finished stage is skipped and a changed one starts afresh.

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "core/json_lines.h"
#include "dist/communicator.h"

namespace sono {

struct StageResult {
  std::filesystem::path dir;
  std::string key;  // SHA-256 of the inputs, hexadecimal
  nlohmann::json
      outputs;           // what the stage says of its results (hashes, counts)
  bool finished = true;  // false only where stages are looked for, not done
};

// Do what is missing, or only look what is there: then an unfinished stage has
// stand-ins as outputs, so that nothing behind it is found finished.
enum class StageMode { kRun, kLook };

class StageRunner {
 public:
  // Stages live in `root`/NAME-<first 12 digits of the key>.
  StageRunner(Communicator& comm, std::filesystem::path root, JsonLines& log,
              StageMode mode = StageMode::kRun);

  // Does `work(dir)` unless the stage is finished; rank 0 decides and all ranks
  // follow. `inputs` holds result options and content hashes only. All ranks
  // get the outputs of rank 0's `work`, which are committed as stage.json last.
  // All ranks must call, in the same order.
  StageResult run(
      const std::string& name, const nlohmann::json& inputs,
      const std::function<nlohmann::json(const std::filesystem::path& dir)>&
          work);

  int skipped() const { return skipped_; }
  int done() const { return done_; }
  // Names of the stages found finished.
  const std::set<std::string>& found() const { return found_; }
  // Names of those that were looked for in vain and did not come since.
  const std::set<std::string>& missing() const { return missing_; }

 private:
  Communicator& comm_;
  std::filesystem::path root_;
  JsonLines& log_;
  StageMode mode_;
  std::set<std::string> found_, missing_;
  int skipped_ = 0;
  int done_ = 0;
};

// Makes the stage in `dir` unfinished, so that the next run goes through it
// again. False when it was not a finished one. Not while a run is at work.
bool reopen_stage(const std::filesystem::path& dir);

}  // namespace sono
