#include "experiments/lora_training.h"

#include <ATen/Parallel.h>

#include <optional>

#include "core/error.h"
#include "core/hash.h"
#include "core/json_lines.h"
#include "core/message.h"
#include "data/split.h"
#include "dist/recorder/flight_recorder.h"
#include "experiments/run_folder.h"
#include "experiments/stable_diffusion_hash.h"
#include "models/diffusion/scheduler_file.h"
#include "models/io/pretrained.h"
#include "models/io/safetensors.h"
#include "models/lora/lora_file.h"
#include "models/nn/frozen.h"
#include "models/text/clip_text_model.h"
#include "models/text/clip_tokenizer.h"
#include "models/unet/config_file.h"
#include "models/vae/autoencoder_kl.h"
#include "trainer/latent_cache.h"
#include "trainer/latent_validation.h"
#include "trainer/machine_kind.h"
#include "trainer/trainer.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

// The caption of every image; DataError for one that has none.
nlohmann::json captions_of(const Cohort& cohort, const LoraRecipe& recipe) {
  nlohmann::json captions;
  for (std::size_t i = 0; i < cohort.size(); ++i) {
    captions.push_back(caption_of(cohort.entry(i), recipe.images.caption));
  }
  return captions;
}

// Of all that the result depends on.
std::string hash_of_inputs(Communicator& comm, const LoraRecipe& recipe,
                           const OptionTable& options, const Cohort& cohort) {
  std::string hash;
  run_together(comm, [&] {
    if (comm.rank() != 0) return;
    const auto tick = [&] {
      if (comm.recorder() != nullptr) comm.recorder()->tick();
    };
    nlohmann::json inputs = {{"options", options.results()},
                             {"data", cohort.content_hash()},
                             {"captions", captions_of(cohort, recipe)},
                             {"machine", machine_kind()}};
    for (const char* part :
         {"unet", "vae", "text_encoder", "tokenizer", "scheduler"}) {
      inputs["model"][part] = hash_of_part(recipe.model, part, tick);
    }
    hash = sha256_hex(inputs.dump());
  });
  return broadcast_string(comm, hash);
}

Split split_of(const Cohort& cohort, const LoraRecipe& recipe) {
  if (recipe.validation.fraction > 0) {
    return split_by_exam(cohort, recipe.validation.fraction, recipe.train.seed);
  }
  Split split;
  for (std::size_t i = 0; i < cohort.size(); ++i) split.train.push_back(i);
  return split;
}

// The encoders, while they live, as the cache wants them.
struct Encoders {
  Encoders(const Pretrained& model, const fs::path& path, int clip_skip)
      : autoencoder(read_autoencoder_config(model.config(ModelPart::kVae))),
        text(ClipTextConfig::read(model.config(ModelPart::kTextEncoder))),
        tokenizer(model.tokenizer_folder()) {
    model.load(ModelPart::kVae, autoencoder);
    model.load(ModelPart::kTextEncoder, text);
    text.check_tokenizer(tokenizer, model.tokenizer_folder().string());
    frozen.autoencoder_hash = hash_of_part(path, "vae");
    frozen.text_hash = hash_of_part(path, "text_encoder") +
                       hash_of_part(path, "tokenizer") +
                       std::to_string(clip_skip);
    frozen.downscale = autoencoder.config().downscale();
    frozen.latent_channels = autoencoder.config().latent_channels;
    frozen.text_width = text.config().hidden_size;
    frozen.encode = [this](const at::Tensor& image) {
      const LatentMoments moments = autoencoder.encode(image);
      return at::cat({moments.mean, moments.logvar});
    };
    frozen.embed = [this, clip_skip](const std::string& caption) {
      const EncodedPrompt prompt = tokenizer.encode(caption);
      if (prompt.dropped > 0) {
        log_warning("the caption '" + caption + "' loses its last " +
                    std::to_string(prompt.dropped) +
                    " tokens, beyond what the text encoder takes");
      }
      return text(at::tensor(prompt.ids).unsqueeze(0), clip_skip)[0];
    };
  }

  AutoencoderKL autoencoder;
  ClipTextModel text;
  ClipTokenizer tokenizer;
  FrozenEncoders frozen;
};

struct Prepared {
  LatentExamples train;
  std::optional<LatentExamples> held_out;
  double scaling_factor = 1;
};

// The encoders are gone when this returns.
Prepared prepare(Communicator& comm, const LoraRecipe& recipe,
                 const Pretrained& model, const Cohort& cohort,
                 PackCache& cache, const StopSignal& stop) {
  const Encoders encoders(model, recipe.model, recipe.diffusion.clip_skip);
  const Split split = split_of(cohort, recipe);
  const auto examples = [&](const std::vector<std::size_t>& members,
                            const LatentImageConfig& config) {
    const LatentImages images(cohort, members, config, recipe.train.seed);
    return cache_latents(comm, images, encoders.frozen, cache, stop);
  };
  Prepared prepared;
  prepared.scaling_factor = encoders.autoencoder.config().scaling_factor;
  prepared.train = examples(split.train, recipe.images);
  if (!split.test.empty()) {
    LatentImageConfig as_they_are = recipe.images;
    as_they_are.variants = 1;
    prepared.held_out = examples(split.test, as_they_are);
  }
  return prepared;
}

// How the model was trained to see noise.
struct NoiseProcess {
  NoiseScheduleConfig noise;
  std::string prediction;
};

NoiseProcess noise_process(const Pretrained& model, const fs::path& path) {
  if (fs::is_directory(path)) {
    const SchedulerFile file =
        read_scheduler_file(path / "scheduler" / "scheduler_config.json");
    return {file.noise, file.prediction};
  }
  // A single file is a Stable Diffusion, whose noise is the default.
  return {{}, model.scheduler_config().text("prediction_type", "epsilon")};
}

LatentTaskConfig task_config(const LoraRecipe& recipe,
                             const NoiseProcess& scheduler) {
  LatentTaskConfig config;
  config.batch_size = recipe.train.batch_size;
  const bool model_says = recipe.diffusion.prediction == "model";
  config.prediction = parse_prediction(
      "diffusion.prediction",
      model_says ? scheduler.prediction : recipe.diffusion.prediction);
  config.min_snr_gamma = recipe.diffusion.min_snr_gamma;
  config.noise = scheduler.noise;
  config.noise.zero_terminal_snr |= recipe.diffusion.zero_terminal_snr;
  if (config.noise.zero_terminal_snr &&
      config.prediction == Prediction::kEpsilon) {
    throw ConfigError(
        "option diffusion.zero_terminal_snr needs a model that predicts "
        "velocity; set diffusion.prediction=v_prediction");
  }
  return config;
}

TrainConfig train_config(const LoraRecipe& recipe) {
  TrainConfig config = recipe.train;
  config.dist = recipe.dist;
  return config;
}

LatentDrawConfig draw_config(const LoraRecipe& recipe,
                             const LatentTaskConfig& task,
                             double scaling_factor) {
  LatentDrawConfig config;
  config.batch_size = recipe.train.batch_size;
  config.seed = recipe.train.seed;
  config.num_train_timesteps = task.noise.num_train_timesteps;
  config.scaling_factor = scaling_factor;
  config.noise_offset = recipe.diffusion.noise_offset;
  config.caption_dropout = recipe.diffusion.caption_dropout;
  return config;
}

// Says and logs the held-out loss as training goes.
class Validation {
 public:
  Validation(Communicator& comm, const LoraRecipe& recipe,
             const Prepared& prepared, JsonLines& log)
      : comm_(comm), recipe_(recipe), prepared_(prepared), log_(log) {}

  void run(LatentTask& task, std::int64_t steps_done) {
    if (!prepared_.held_out) return;
    ValidationConfig config;
    config.timesteps = recipe_.validation.timesteps;
    config.seed = recipe_.train.seed;
    config.scaling_factor = prepared_.scaling_factor;
    last = validation_loss(comm_, task, *prepared_.held_out, config);
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
  const Prepared& prepared_;
  JsonLines& log_;
};

// The trained additions, or their moving average where there is one, as files.
std::vector<fs::path> write_files(Communicator& comm, const LoraRecipe& recipe,
                                  const TrainResult& result, LoraSet& lora,
                                  const fs::path& out) {
  std::vector<fs::path> folders;
  for (const std::string& name : recipe.output.dialects) {
    folders.push_back(out / "lora" / name);
  }
  run_together(comm, [&] {
    if (comm.rank() != 0) return;
    if (recipe.train.ema_decay > 0) {
      const fs::path averaged = result.checkpoint / "ema.safetensors";
      StateDict own;
      const std::string prefix = "unet.";
      for (const auto& [name, tensor] : load_safetensors(averaged)) {
        own[name.substr(prefix.size())] = tensor;
      }
      lora.load_state(own, averaged.string());
    }
    for (const std::string& name : recipe.output.dialects) {
      save_lora(parse_lora_dialect("output.dialects", name),
                out / "lora" / name, {{"unet", &lora}});
    }
  });
  return folders;
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
  const auto model = open_pretrained(recipe.model);
  const LatentTaskConfig config =
      task_config(recipe, noise_process(*model, recipe.model));
  UNet unet(read_unet_config(model->config(ModelPart::kUNet)));
  const auto targets = choose_targets(unet, recipe.lora, "unet", "lora");

  open_run_folder(out, options, update, comm);
  JsonLines log(comm.rank() == 0 ? out / "log.jsonl" : "");
  const std::string inputs = hash_of_inputs(comm, recipe, options, cohort);
  PackCacheConfig cache_config;
  cache_config.max_mib = static_cast<std::int64_t>(recipe.cache_gb * 1024);
  PackCache cache(recipe.cache.empty() ? out / "cache" : fs::path(recipe.cache),
                  cache_config);
  const Prepared prepared = prepare(comm, recipe, *model, cohort, cache, stop);

  model->load(ModelPart::kUNet, unet);
  LoraSet lora(unet, targets, recipe.lora.init);
  lora.initialize(recipe.train.seed);
  lora.set_dropout(recipe.lora.dropout, recipe.train.seed);
  prepare_frozen(unet, recipe.frozen_mb << 20);
  LatentDraws draws(prepared.train,
                    draw_config(recipe, config, prepared.scaling_factor));
  LatentTask task(
      unet, &lora, [&](std::uint64_t sample) { return draws(sample); }, config);
  Validation validation(comm, recipe, prepared, log);
  task.on_step = [&](std::int64_t done) {
    if (done % recipe.validation.every == 0) validation.run(task, done);
  };
  const TrainResult result =
      train(comm, task, train_config(recipe), inputs,
            out / "checkpoints" / inputs.substr(0, 12), stop, &log, "lora");
  validation.run(task, recipe.train.steps);
  LoraOutcome outcome;
  outcome.files = write_files(comm, recipe, result, lora, out);
  outcome.steps = recipe.train.steps;
  outcome.loss = result.loss;
  outcome.validation_loss = validation.last;
  return outcome;
}

}  // namespace sono
