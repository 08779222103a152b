#pragma once
// `sonoforge train diffusion`: a LoRA on a published model from a folder of
// images, from data to files that other programs read.

#include <filesystem>
#include <vector>

#include "dist/communicator.h"
#include "dist/stop_signal.h"
#include "experiments/lora_recipe.h"

namespace sono {

struct LoraOutcome {
  std::vector<std::filesystem::path> files;  // folders, one a dialect
  std::int64_t steps = 0;
  double loss = 0;              // of the last step
  double validation_loss = -1;  // after the last step; below 0: none held out
};

// Everything below `out`: config.ini, run.json, log.jsonl, cache/,
// checkpoints/HASH/, named by all that decides the result, and at the end
// lora/DIALECT/. The same bytes on any number of ranks, after any stop; run
// again to go on. `update` takes a folder made by another config, else a
// ConfigError. `options` is bound to `recipe`. All ranks must call.
LoraOutcome train_lora(const LoraRecipe& recipe, const OptionTable& options,
                       const std::filesystem::path& out, bool update,
                       Communicator& comm, const StopSignal& stop);

}  // namespace sono
