#include "experiments/recipe.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "data/phantom/phantom.h"
#include "data/phantom/scanner.h"
#include "experiments/arms.h"
#include "experiments/diffusion_examples.h"
#include "experiments/metrics/surface.h"
#include "experiments/protocol.h"

namespace sono {
namespace {

void validate_data(const DataConfig& data) {
  const std::set<std::string> names(data.cohorts.begin(), data.cohorts.end());
  if (names.empty() || names.size() != data.cohorts.size()) {
    throw ConfigError("option data.cohorts must name each cohort once");
  }
  for (const auto& [name, source] : data.sources) {
    if (names.count(name)) continue;
    std::vector<std::string> known = data.cohorts;
    for (const char* key :
         {"cohorts", "train", "test", "test_fraction", "split_seed",
          "phantom_count", "mask", "frames", "label", "shared_patients",
          "burned_in", "salt_file", "test_limit"}) {
      known.push_back(key);
    }
    throw ConfigError("option data." + name +
                      " is neither an option nor a "
                      "cohort of data.cohorts; the nearest known one is data." +
                      nearest_name(name, known));
  }
  const auto check_names = [&](const char* option,
                               const std::vector<std::string>& chosen) {
    for (const auto& name : chosen) check_choice(option, name, data.cohorts);
    if (std::set<std::string>(chosen.begin(), chosen.end()).size() !=
        chosen.size()) {
      throw ConfigError(std::string("option ") + option +
                        " names a cohort twice");
    }
  };
  if (data.train.empty()) throw ConfigError("option data.train is empty");
  check_names("data.train", data.train);
  check_names("data.test", data.test);
  for (const auto& [name, file] : data.train_lists) {
    check_choice("train_list." + name, name, data.train);
  }
  for (const auto& [name, file] : data.test_lists) {
    check_choice("test_list." + name, name, data.cohorts);
  }
  data.annotations.validate();
  check_choice("data.shared_patients", data.shared_patients,
               {"refuse", "warn"});
  check_range("data.test_fraction", data.test_fraction, 0.01, 0.99);
  check_range("data.phantom_count", data.phantom_count, 1, 1e7);
  check_range("data.test_limit", data.test_limit, 0, 1e9);
}

void validate_experiment(const ExperimentConfig& config) {
  for (const auto& arm : config.arms) {
    check_choice("experiment.arms", arm, known_arms());
  }
  for (int n : config.n_real) check_range("experiment.n_real", n, 1, 1e6);
  if (config.n_real.empty() || config.arms.empty() || config.prompts.empty()) {
    throw ConfigError(
        "options experiment.n_real, experiment.arms and "
        "experiment.prompts must not be empty");
  }
  for (const auto& prompt : config.prompts) {
    check_choice("experiment.prompts", prompt,
                 {"gt-box", "frame", "self", "detector"});
  }
  for (const auto& style : config.phantom_styles) {
    check_choice("experiment.phantom_styles", style, scanner_style_names());
  }
  check_choice("experiment.task", config.task, {"segment", "generate"});
  check_choice("experiment.segmenter", config.segmenter,
               {"any", "lite_medsam", "vit_b", "vit_l", "vit_h"});
  check_choice("experiment.protocol", config.protocol, known_protocols());
  check_range("experiment.seeds", config.seeds, 1, 1000);
  check_range("experiment.draws", config.draws, 1, 1000);
  check_range("experiment.synthetic_count", config.synthetic_count, 1, 1e8);
  check_range("experiment.quality_images", config.quality_images, 0, 1e6);
  check_range("experiment.augmented_variants", config.augmented_variants, 1,
              1000);
  check_range("experiment.generator_images", config.generator_images, 0, 1e6);
  check_range("experiment.ceiling_images", config.ceiling_images, 1, 1e6);
  check_range("experiment.sdedit_strength", config.sdedit_strength, 0.01, 1);
  check_range("experiment.jitter_px", config.jitter_px, 0, 255);
  for (int count : config.synthetic_counts) {
    check_range("experiment.synthetic_counts", count, 1,
                config.synthetic_count);
  }
  for (int px : config.jitter_curve) {
    check_range("experiment.jitter_curve", px, 0, 255);
  }
  check_choice("experiment.surface_convention", config.surface_convention,
               surface_convention_names());
  check_range("experiment.tolerance_px", config.tolerance_px, 0, 1e4);
  check_range("experiment.tolerance_mm", config.tolerance_mm, 0, 1e4);
}

// Which generator an arm goes with.
void validate_arm(const Recipe& recipe, const std::string& arm) {
  const auto refuse = [&](const std::string& why) {
    throw ConfigError("option experiment.arms: arm " + arm + why);
  };
  if (arm == "controlnet" && !recipe.latent()) {
    refuse(" needs diffusion.model = stable-diffusion, the model it controls");
  }
  if (arm == "sdedit" && recipe.latent()) {
    refuse(" needs diffusion.model = pixel; phantoms are redrawn by it alone");
  }
  if (arm == "controlnet" && recipe.text_lora.trained()) {
    refuse(
        " and text_lora.targets exclude one another: a ControlNet is trained "
        "alone, on a model that stays as it is");
  }
}

// Which arms and tasks the published model can serve.
void validate_latent(const Recipe& recipe) {
  recipe.stable_diffusion.validate();
  recipe.lora.validate("lora");
  const ExperimentConfig& config = recipe.experiment;
  if (config.task == "generate" && !recipe.latent()) {
    throw ConfigError(
        "option experiment.task = generate needs diffusion.model = "
        "stable-diffusion");
  }
  recipe.text_lora.validate(recipe.adapt.learning_rate);
  for (const auto& arm : config.arms) {
    if (config.task == "generate") break;  // has no arms
    validate_arm(recipe, arm);
  }
  if (!recipe.latent()) return;
  if (config.task == "generate" && config.generator_images == 0) {
    throw ConfigError(
        "option experiment.generator_images must be set where the task is "
        "generate: the images of each class to train on");
  }
}

}  // namespace

// About 20,000 phantom views; two samples a lane, since a lane of one costs
// half as much again per view.
TrainConfig pretrain_defaults() {
  TrainConfig config;
  config.steps = 1250;
  config.batch_size = 16;
  config.lanes = 8;
  config.learning_rate = 5e-4;
  config.schedule = "cosine";
  config.warmup_steps = 50;
  config.ema_decay = 0.999;
  config.checkpoint_every = 125;
  return config;
}

// 4,000 views of the N real pairs.
TrainConfig adapt_defaults() {
  TrainConfig config = pretrain_defaults();
  config.steps = 250;
  config.learning_rate = 2e-4;
  config.warmup_steps = 10;
  config.ema_decay = 0.99;
  return config;
}

// 400 views in batches of 5, Adam without decay or clipping, as Wang et al.
// 2025 tune the mask decoder (at ten times their learning rate, since they make
// 2,000 updates).
TrainConfig segment_defaults() {
  TrainConfig config;
  config.steps = 80;
  config.batch_size = 5;
  config.lanes = 5;
  config.optimizer = "adam";
  config.weight_decay = 0;
  config.clip_norm = 0;
  config.checkpoint_every = 40;
  return config;
}

std::int64_t tuning_steps(const Recipe& recipe, std::size_t images) {
  if (recipe.tune.epochs == 0) return recipe.segment.steps;
  const auto batch = recipe.segment.batch_size;
  return recipe.tune.epochs *
         ((static_cast<std::int64_t>(images) + batch - 1) / batch);
}

void TuneConfig::validate() const {
  check_range("segment.epochs", epochs, 0, 1e6);
  check_choice("segment.mix", mix, {"half", "union"});
  check_choice("segment.train_prompt", train_prompt,
               {"mixed", "gt-box", "frame"});
  check_range("segment.jitter_px", jitter_px, 0, 255);
  check_choice("segment.frame", frame, {"fit", "squash"});
  check_choice("segment.augmented_box", augmented_box, {"after", "before"});
}

void GenerateConfig::validate() const {
  check_range("generate.samples_per_shard", samples_per_shard, 1, 1e6);
  check_range("generate.tries", tries, 1, 1000);
  check_choice("generate.copies", copies, {"keep", "refuse"});
}

void Recipe::validate() const {
  validate_data(data);
  validate_experiment(experiment);
  check_choice("diffusion.model", generator, {"pixel", "stable-diffusion"});
  validate_latent(*this);
  diffusion.validate("diffusion");
  augment.validate("augment");
  const int classes = class_count(experiment);
  if (diffusion.num_classes != 0 && diffusion.num_classes != classes) {
    throw ConfigError(
        "option diffusion.num_classes must be 0 (no classes) or " +
        std::to_string(classes) +
        " (4 trimesters, unknown included, of each phantom style "
        "and of the training cohort)");
  }
  generate.validate();
  lease.validate();
  dist.validate();
  pretrain.validate("pretrain");
  adapt.validate("adapt");
  segment.validate("segment");
  tune.validate();
  gate.validate();
  check_range("place.cache_gb", place.cache_gb, 0.1, 1e6);
  check_range("place.min_free_gb", place.min_free_gb, 0, 1e6);
  check_range("place.full_wait_minutes", place.full_wait_minutes, 0, 1e5);
  check_choice("place.device", place.device, {"cpu", "cuda"});
  check_range("place.step_deadline", place.deadlines.step, 0.1, 1e6);
  check_range("place.start_deadline", place.deadlines.start, 0.1, 1e6);
}

std::vector<std::string> Recipe::missing_sources() const {
  std::vector<std::string> missing;
  for (const auto& name : data.cohorts) {
    const auto found = data.sources.find(name);
    if (found != data.sources.end() && !found->second.empty()) continue;
    missing.push_back("option data." + name +
                      " is not set: give the folder of that cohort with --set "
                      "data." +
                      name + "=FOLDER");
  }
  return missing;
}

void Recipe::check_sources() const {
  const auto missing = missing_sources();
  if (!missing.empty()) throw ConfigError(missing.front());
}

void Recipe::check_lanes(int world_size) const {
  const auto check = [&](const std::string& name, const TrainConfig& config) {
    if (config.lanes >= world_size) return;
    throw ConfigError("option " + name +
                      ".lanes = " + std::to_string(config.lanes) +
                      " is less than the " + std::to_string(world_size) +
                      " ranks: start at most that many, or cut the batch into "
                      "more lanes (which changes the result's bits)");
  };
  if (experiment.task == "segment") check("segment", segment);
  if (!uses_diffusion(experiment) && experiment.task == "segment") return;
  if (!latent()) check("pretrain", pretrain);
  check("adapt", adapt);
}

}  // namespace sono
