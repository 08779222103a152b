#pragma once
// The training loop: lanes, reduction, update, checkpoints, exact resume.

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/json_lines.h"
#include "dist/communicator.h"
#include "dist/stop_signal.h"
#include "trainer/task.h"
#include "trainer/telemetry.h"
#include "trainer/train_config.h"

namespace sono {

struct TrainResult {
  std::filesystem::path checkpoint;  // folder with model.safetensors
  double loss = 0;                   // of the last step
  std::int64_t skipped_steps = 0;
};

// Trains to config.steps and leaves the final weights in the task's parameters
// and in `dir`/step-NNNNNNNN, then the only checkpoint there. Goes on from the
// newest good checkpoint in `dir`; when that is the last step, only loads it.
// The result is the same for any number of ranks and any interruption.
//
// `log` may be null; only rank 0 writes to it. `label` stands in front of the
// progress line ("pretrain"). `telemetry` is what else is shown. The caller
// sets LibTorch's threads (one a rank for equal bits). All ranks must call,
// each with a task of its own.
//
// Errors: StopRequested after saving, when any rank's `stop` asked for it;
// ConfigError when `dir` holds another config's checkpoints; DivergedError;
// CommError; ResourceError when the disk is full (old checkpoints stay good).
TrainResult train(Communicator& comm, Task& task, const TrainConfig& config,
                  const std::string& config_hash,
                  const std::filesystem::path& dir, const StopSignal& stop,
                  JsonLines* log, const std::string& label,
                  const Telemetry& telemetry = {});

}  // namespace sono
