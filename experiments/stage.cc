#include "experiments/stage.h"

#include <chrono>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/message.h"
#include "core/progress.h"

namespace sono {
namespace {

// Part of every key: goes up when the program gives other bytes for equal
// inputs of any stage.
constexpr int kResultVersion = 3;

constexpr char kRecordFile[] = "stage.json";

// The outputs of a finished stage as JSON text, or "" when it is not finished.
std::string finished_outputs(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return "";
  try {
    return nlohmann::json::parse(read_file(file)).at("outputs").dump();
  } catch (const nlohmann::json::exception&) {
    throw DataError(
        file.string() +
        ": not a stage record; delete this folder to redo the stage");
  }
}

}  // namespace

StageRunner::StageRunner(Communicator& comm, std::filesystem::path root,
                         JsonLines& log, StageMode mode)
    : comm_(comm), root_(std::move(root)), log_(log), mode_(mode) {}

StageResult StageRunner::run(
    const std::string& name, const nlohmann::json& inputs,
    const std::function<nlohmann::json(const std::filesystem::path&)>& work) {
  StageResult result;
  const nlohmann::json keyed = {
      {"stage", name}, {"inputs", inputs}, {"version", kResultVersion}};
  result.key = sha256_hex(keyed.dump());
  result.dir = root_ / (name + "-" + result.key.substr(0, 12));
  const auto record = result.dir / kRecordFile;

  std::string outputs = comm_.rank() == 0 ? finished_outputs(record) : "";
  outputs = broadcast_string(comm_, outputs, 0);
  if (!outputs.empty()) {
    result.outputs = nlohmann::json::parse(outputs);
    ++skipped_;
    found_.insert(name);
    missing_.erase(name);
    return result;
  }
  if (mode_ == StageMode::kLook) {
    missing_.insert(name);
    result.finished = false;
    result.outputs = {{"sha256", "to come"}, {"dataset_hash", "to come"}};
    return result;
  }

  log_info("stage " + name);
  const auto start = std::chrono::steady_clock::now();
  if (comm_.rank() == 0) make_directories(result.dir);
  comm_.barrier();
  const nlohmann::json own = work(result.dir);
  comm_.barrier();
  result.outputs =
      nlohmann::json::parse(broadcast_string(comm_, own.dump(), 0));
  const std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - start;
  if (comm_.rank() == 0) {
    const nlohmann::json text = {
        {"stage", name}, {"inputs", inputs}, {"outputs", result.outputs}};
    write_file_atomic(record, text.dump(1) + "\n");
  }
  log_.append({{"event", "stage"},
               {"stage", name},
               {"seconds", seconds.count()},
               {"dir", result.dir.string()}});
  log_info("stage " + name + " done in " + duration_text(seconds.count()));
  ++done_;
  return result;
}

bool reopen_stage(const std::filesystem::path& dir) {
  return std::filesystem::remove(dir / kRecordFile);
}

}  // namespace sono
