#include "experiments/lora_settings.h"

#include <filesystem>

#include "core/error.h"
#include "models/diffusion/scheduler_file.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

// How the model was trained to see noise.
struct NoiseProcess {
  NoiseScheduleConfig noise;
  std::string prediction;
};

NoiseProcess noise_process(const Pretrained& model, const fs::path& path) {
  if (fs::is_directory(path)) {
    // Training takes no sampler, so the file may name one that is not offered,
    // as Stable Diffusion 1.5's does.
    const SchedulerFile file = read_scheduler_file(
        path / "scheduler" / "scheduler_config.json", "ddim");
    return {file.noise, file.prediction};
  }
  // A single file is a Stable Diffusion, whose noise is the default.
  return {{}, model.scheduler_config().text("prediction_type", "epsilon")};
}

}  // namespace

LatentTaskConfig task_config(const LoraRecipe& recipe,
                             const Pretrained& model) {
  const NoiseProcess scheduler = noise_process(model, recipe.model);
  LatentTaskConfig config;
  config.batch_size = recipe.train.batch_size;
  const bool model_says = recipe.diffusion.prediction == "model";
  config.prediction = parse_prediction(
      "diffusion.prediction",
      model_says ? scheduler.prediction : recipe.diffusion.prediction);
  config.min_snr_gamma = recipe.diffusion.min_snr_gamma;
  config.noise = scheduler.noise;
  config.noise.zero_terminal_snr |= recipe.diffusion.zero_terminal_snr;
  config.text_rate_factor =
      recipe.text_lora.rate_factor(recipe.train.learning_rate);
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
  config.mask_dropout = recipe.diffusion.mask_dropout;
  return config;
}

// A file of Stable Diffusion 2 does not say what its UNet predicts.
std::unique_ptr<Pretrained> open_model(const LoraRecipe& recipe) {
  PretrainedOptions options;
  options.tokenizer = recipe.tokenizer;
  if (recipe.diffusion.prediction != "model") {
    options.prediction_type = recipe.diffusion.prediction;
  }
  if (options.tokenizer.empty() && fs::is_regular_file(recipe.model)) {
    throw ConfigError("option model.tokenizer is missing: the single file " +
                      recipe.model +
                      " holds no tokenizer; give the folder of its vocab.json "
                      "and merges.txt");
  }
  return open_pretrained(recipe.model, options);
}

LatentTraineeOptions trainee_options(const LoraRecipe& recipe) {
  LatentTraineeOptions options;
  options.lora = recipe.lora;
  options.text_lora = recipe.text_lora;
  options.guidance = recipe.guidance();
  const bool half = recipe.diffusion.base_dtype == "bfloat16";
  options.base_dtype = half ? at::kBFloat16 : at::kFloat;
  options.frozen_bytes = recipe.frozen_mb << 20;
  options.clip_skip = recipe.diffusion.clip_skip;
  options.seed = recipe.train.seed;
  return options;
}

}  // namespace sono
