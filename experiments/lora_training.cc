#include "experiments/lora_training.h"

#include <ATen/Parallel.h>

#include <map>
#include <memory>

#include "core/error.h"
#include "core/hash.h"
#include "core/json_lines.h"
#include "core/message.h"
#include "dist/recorder/flight_recorder.h"
#include "experiments/latent_preview.h"
#include "experiments/latent_trainee.h"
#include "experiments/lora_data.h"
#include "experiments/lora_settings.h"
#include "experiments/run_folder.h"
#include "experiments/run_telemetry.h"
#include "experiments/stable_diffusion_hash.h"
#include "models/io/pretrained.h"
#include "trainer/latent_validation.h"
#include "trainer/machine_kind.h"
#include "trainer/trainer.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

// Of all that the result depends on.
std::string hash_of_inputs(
    Communicator& comm, const LoraRecipe& recipe, const OptionTable& options,
    const Cohort& cohort,
    const std::map<std::string, std::string>& model_hashes) {
  std::string hash;
  run_together(comm, [&] {
    if (comm.rank() != 0) return;
    // 2: frozen products by other kernels, which round otherwise.
    const nlohmann::json inputs = {{"version", 2},
                                   {"options", options.results()},
                                   {"data", cohort.content_hash()},
                                   {"captions", captions_of(cohort, recipe)},
                                   {"machine", machine_kind()},
                                   {"model", model_hashes}};
    hash = sha256_hex(inputs.dump());
  });
  return broadcast_string(comm, hash);
}

// Says and logs the held-out loss as training goes.
class Validation {
 public:
  Validation(Communicator& comm, const LoraRecipe& recipe, const LoraData& data,
             JsonLines& log)
      : comm_(comm), recipe_(recipe), data_(data), log_(log) {}

  void run(LatentTask& task, std::int64_t steps_done) {
    if (!data_.held_out) return;
    ValidationConfig config;
    config.timesteps = recipe_.validation.timesteps;
    config.seed = recipe_.train.seed;
    config.scaling_factor = data_.scaling_factor;
    last = validation_loss(comm_, task, *data_.held_out, config);
    if (comm_.rank() != 0) return;
    log_info("held-out loss after " + std::to_string(steps_done) +
             " steps: " + std::to_string(last));
    log_.append(
        {{"event", "validation"}, {"step", steps_done}, {"loss", last}});
  }

  double last = -1;

 private:
  Communicator& comm_;
  const LoraRecipe& recipe_;
  const LoraData& data_;
  JsonLines& log_;
};

std::unique_ptr<LatentPreview> make_preview(const LoraRecipe& recipe,
                                            const Pretrained& model,
                                            const LoraData& data,
                                            const fs::path& out) {
  if (recipe.preview.every == 0) return nullptr;
  return std::make_unique<LatentPreview>(
      recipe.preview,
      LatentPreview::Given{model, data.held_out ? *data.held_out : data.train,
                           data.preview_texts, recipe.guidance(),
                           recipe.train.seed},
      out / "previews");
}

// What was trained, or its moving average where there is one, as files.
std::vector<fs::path> write_files(Communicator& comm, const LoraRecipe& recipe,
                                  const TrainResult& result,
                                  LatentTrainee& trainee, LatentTask& task,
                                  const fs::path& out) {
  std::map<fs::path, LoraDialect> folders;
  if (recipe.guidance() == MaskGuidance::kControlNet) {
    folders[out / "controlnet"] = LoraDialect::kDiffusers;
  } else {
    for (const std::string& name : recipe.output.dialects) {
      folders[out / "lora" / name] =
          parse_lora_dialect("output.dialects", name);
    }
  }
  run_together(comm, [&] {
    if (comm.rank() != 0) return;
    if (recipe.train.ema_decay > 0) {
      trainee.use_average(task, result.checkpoint);
    }
    for (const auto& [folder, dialect] : folders) {
      trainee.save(dialect, folder);
    }
  });
  std::vector<fs::path> written;
  for (const auto& [folder, dialect] : folders) written.push_back(folder);
  return written;
}

}  // namespace

LoraOutcome train_lora(const LoraRecipe& recipe, const OptionTable& options,
                       const fs::path& out, bool update, Communicator& comm,
                       const StopSignal& stop) {
  at::set_num_threads(1);  // equal bits on any number of ranks
  recipe.validate();
  // What can be refused is, before the folder is marked as of this config.
  const Cohort cohort = open_cohort("data", recipe.data, recipe.annotations);
  captions_of(cohort, recipe);
  const auto model = open_model(recipe);
  const LatentTaskConfig config = task_config(recipe, *model);
  LatentTrainee trainee(*model, trainee_options(recipe));

  open_run_folder(out, options, update, comm);
  JsonLines log(comm.rank() == 0 ? out / "log.jsonl" : "");
  const auto metrics = open_metrics(recipe.metrics_file, out, comm);
  const auto model_hashes =
      hashes_of_model(comm, recipe.model, recipe.tokenizer, [&] {
        if (comm.recorder() != nullptr) comm.recorder()->tick();
      });
  const std::string inputs =
      hash_of_inputs(comm, recipe, options, cohort, model_hashes);
  PackCacheConfig cache_config;
  cache_config.max_mib = static_cast<std::int64_t>(recipe.cache_gb * 1024);
  PackCache cache(recipe.cache.empty() ? out / "cache" : fs::path(recipe.cache),
                  cache_config);
  const LoraData data =
      encode_data(comm, recipe, *model, model_hashes, cohort, cache, stop, log);

  trainee.load();
  LatentDraws draws(data.train,
                    draw_config(recipe, config, data.scaling_factor));
  LatentTask task(
      trainee.networks(), [&](std::uint64_t sample) { return draws(sample); },
      config);
  Validation validation(comm, recipe, data, log);
  const auto preview = make_preview(recipe, *model, data, out);
  task.on_step = [&](std::int64_t done) {
    if (done % recipe.validation.every == 0) validation.run(task, done);
    if (preview && done % recipe.preview.every == 0) {
      preview->draw(comm, task, done);
    }
  };
  const TrainResult result =
      train(comm, task, train_config(recipe), inputs,
            out / "checkpoints" / inputs.substr(0, 12), stop, &log, "lora",
            make_telemetry(out, "lora", recipe.trace_steps, metrics.get()));
  validation.run(task, recipe.train.steps);
  LoraOutcome outcome;
  outcome.files = write_files(comm, recipe, result, trainee, task, out);
  outcome.steps = recipe.train.steps;
  outcome.loss = result.loss;
  outcome.validation_loss = validation.last;
  return outcome;
}

}  // namespace sono
