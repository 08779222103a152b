#include "experiments/lora_recipe.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "models/lora/lora_names.h"

namespace sono {
namespace {

void describe_diffusion(OptionTable& table, LatentDiffusionConfig& c) {
  const auto add = [&](const char* key, auto* field, const char* help) {
    table.add(std::string("diffusion.") + key, field, OptionKind::kResult,
              help);
  };
  add("prediction", &c.prediction,
      "model (as its scheduler says), epsilon or v_prediction");
  add("zero_terminal_snr", &c.zero_terminal_snr,
      "no signal is left at the last timestep; with v_prediction");
  add("min_snr_gamma", &c.min_snr_gamma,
      "weigh timesteps by min(snr, gamma) / snr; 5 is usual, 0 = off");
  add("noise_offset", &c.noise_offset,
      "a random value a channel in the noise; up to 0.1 is usual");
  add("caption_dropout", &c.caption_dropout,
      "probability that a sample's caption is hidden");
  table.add("diffusion.mask_dropout", &c.mask_dropout, OptionKind::kAddedResult,
            "with data.channels concat or controlnet: probability that the "
            "mask is hidden");
  table.add("diffusion.base_dtype", &c.base_dtype, OptionKind::kAddedResult,
            "of the frozen weights: float32, or bfloat16 (half the memory; "
            "what is trained stays float32)");
  add("clip_skip", &c.clip_skip,
      "layer of the text encoder that is used: 1 the last, 2 the one before");
}

void describe_place(OptionTable& table, LoraRecipe& recipe) {
  const auto place = OptionKind::kPlace;
  table.add("place.cache", &recipe.cache, place,
            "folder of encoded images and captions (default OUT/cache)");
  table.add("place.cache_gb", &recipe.cache_gb, place,
            "size of that cache above which its oldest parts go, GiB");
  table.add("place.deadline_start", &recipe.deadlines.start, place,
            "seconds without progress while starting");
  table.add("place.deadline_step", &recipe.deadlines.step, place,
            "seconds without progress in a step");
  table.add("place.metrics_file", &recipe.metrics_file, place,
            "file of rank 0 for Prometheus' node exporter, NAME.prom, "
            "replaced every five seconds; empty: none");
}

}  // namespace

void LatentDiffusionConfig::validate() const {
  check_choice("diffusion.prediction", prediction,
               {"model", "epsilon", "v_prediction"});
  check_range("diffusion.min_snr_gamma", min_snr_gamma, 0, 1e6);
  check_range("diffusion.noise_offset", noise_offset, 0, 1);
  check_range("diffusion.caption_dropout", caption_dropout, 0, 1);
  check_range("diffusion.clip_skip", clip_skip, 1, 12);
  check_range("diffusion.mask_dropout", mask_dropout, 0, 1);
  check_choice("diffusion.base_dtype", base_dtype, {"float32", "bfloat16"});
}

TrainConfig LoraRecipe::defaults() {
  TrainConfig config;
  config.batch_size = 1;
  config.lanes = 1;
  config.learning_rate = 1e-4;
  return config;
}

void LoraRecipe::validate() const {
  if (model.empty()) {
    throw ConfigError(
        "option model.path is missing: a Stable Diffusion model, its folder "
        "as diffusers saves it or its single file");
  }
  if (!tokenizer.empty() && std::filesystem::is_directory(model)) {
    throw ConfigError(
        "option model.tokenizer goes with a single file; the folder " + model +
        " has a tokenizer of its own");
  }
  if (data.empty()) {
    throw ConfigError("option data.folder is missing: the images' folder");
  }
  annotations.validate();
  images.validate("data");
  lora.validate("lora");
  train.validate("train");
  text_lora.validate(train.learning_rate);
  diffusion.validate();
  preview.validate();
  dist.validate();
  check_range("validation.fraction", validation.fraction, 0, 0.9);
  check_range("validation.every", static_cast<double>(validation.every), 1,
              1e9);
  check_range("validation.timesteps", validation.timesteps, 1, 100);
  for (const auto& dialect : output.dialects) {
    parse_lora_dialect("output.dialects", dialect);
  }
  if (output.dialects.empty()) {
    throw ConfigError(
        "option output.dialects is empty; take diffusers, peft "
        "or kohya, or several");
  }
  check_range("model.frozen_mb", static_cast<double>(frozen_mb), 0, 1e6);
  check_range("place.cache_gb", cache_gb, 0, 1e6);
  validate_together();
}

void LoraRecipe::validate_together() const {
  const auto refuse = [](const std::string& why) {
    throw ConfigError("option" + why);
  };
  const double dropout =
      std::max(lora.dropout, text_lora.trained() ? text_lora.lora.dropout : 0);
  if (dropout > 0 && dist.recompute) {
    refuse(
        "s lora.dropout and dist.recompute exclude one another: a "
        "recomputed block would draw its dropout of another batch");
  }
  if (dist.zero_stage == 3) {
    refuse(
        " dist.zero_stage = 3 has nothing to shard in a "
        "LoRA's frozen model; take 0, 1 or 2");
  }
  if (frozen_mb > 0 && diffusion.base_dtype != "float32") {
    refuse(
        "s model.frozen_mb and diffusion.base_dtype = bfloat16 exclude one "
        "another: the faster forms are float32");
  }
  if (guidance() != MaskGuidance::kControlNet) return;
  if (text_lora.trained()) {
    refuse(
        "s data.channels = controlnet and text_lora.targets exclude one "
        "another: a ControlNet is trained alone, on a model that stays as it "
        "is");
  }
  if (lora.dropout > 0) {
    refuse(
        "s data.channels = controlnet and lora.dropout exclude one another: "
        "there is no LoRA beside a ControlNet");
  }
}

void describe(OptionTable& table, LoraRecipe& recipe) {
  const auto result = OptionKind::kResult;
  table.add(
      "model.path", &recipe.model, OptionKind::kPlace,
      "a Stable Diffusion model: its folder as diffusers saves it, or its "
      "single file");
  table.add("model.tokenizer", &recipe.tokenizer, OptionKind::kPlace,
            "with a single file: the folder of its vocab.json and merges.txt");
  table.add("model.frozen_mb", &recipe.frozen_mb, result,
            "MiB for faster forms of frozen convolutions; changes rounding");
  table.add("data.folder", &recipe.data, OptionKind::kPlace,
            "images: HC18's layout, image/ and mask/, or plain folders");
  describe(table, recipe.annotations);
  describe(table, "data", recipe.images);
  describe(table, "lora", recipe.lora);
  describe(table, recipe.text_lora);
  describe_diffusion(table, recipe.diffusion);
  table.add("train.seed", &recipe.train.seed, result, "of all that is random");
  describe(table, "train", recipe.train);
  describe(table, recipe.dist);
  table.add("validation.fraction", &recipe.validation.fraction, result,
            "share of the exams to hold out; 0: none");
  table.add("validation.every", &recipe.validation.every, OptionKind::kSpeed,
            "steps between validations");
  table.add("validation.timesteps", &recipe.validation.timesteps, result,
            "noise levels at which a held-out image is seen");
  describe(table, recipe.preview);
  table.add("output.dialects", &recipe.output.dialects, OptionKind::kPlace,
            "kinds of LoRA file to write: diffusers, peft, kohya");
  describe_place(table, recipe);
}

}  // namespace sono
