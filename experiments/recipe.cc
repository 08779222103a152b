#include "experiments/recipe.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "data/phantom/phantom.h"
#include "data/phantom/scanner.h"
#include "experiments/diffusion_examples.h"

namespace sono {
namespace {

constexpr auto kResult = OptionKind::kResult;
constexpr auto kSpeed = OptionKind::kSpeed;
constexpr auto kPlace = OptionKind::kPlace;

void describe_data(OptionTable& table, DataConfig& data) {
  table.add("data.cohorts", &data.cohorts, kResult,
            "names of the cohorts; each has an option data.NAME");
  // A folder's path is no result: its content's hash is.
  table.add_family("data", &data.sources, kPlace,
                   "where cohort NAME comes from: a folder, or phantom:STYLE");
  table.add("data.train", &data.train, kResult,
            "cohort that real training images are drawn from");
  table.add("data.test_fraction", &data.test_fraction, kResult,
            "share of the training cohort's exams held out for test, 0..1");
  table.add("data.split_seed", &data.split_seed, kResult,
            "seed of the split by exam");
  table.add("data.phantom_count", &data.phantom_count, kResult,
            "images in each phantom cohort");
  describe(table, data.annotations);
  table.add("data.test_limit", &data.test_limit, kResult,
            "images at most per test cohort, 0 for all (for short trials)");
}

void describe_experiment(OptionTable& table, ExperimentConfig& config) {
  table.add("experiment.title", &config.title, kResult, "title of the report");
  table.add("experiment.n_real", &config.n_real, kResult,
            "numbers of real training images, e.g. 5,20; subsets are nested");
  table.add("experiment.arms", &config.arms, kResult,
            "arms to run: none, weak, strong, us-aug, phantom, concat, joint");
  table.add("experiment.seeds", &config.seeds, kResult,
            "seeds a cell; each redraws subset, generator and tuning");
  table.add("experiment.first_seed", &config.first_seed, kResult,
            "the first of these seeds");
  table.add("experiment.synthetic_count", &config.synthetic_count, kResult,
            "synthetic images made for each run of an arm");
  table.add("experiment.augmented_variants", &config.augmented_variants,
            kResult,
            "variants of each real image in arms weak, strong and us-aug");
  table.add("experiment.augmented_box", &config.augmented_box, kResult,
            "boxes of augmented images: after (the augmentation), or before "
            "it, as the published baselines have them");
  table.add("experiment.prompts", &config.prompts, kResult,
            "prompts in test: gt-box, frame, self");
  table.add("experiment.draws", &config.draws, kResult,
            "draws of the gt-box jitter, averaged before any statistic");
  table.add(
      "experiment.phantom_styles", &config.phantom_styles, kResult,
      "styles of the pretraining phantoms and of arm phantom; empty: all");
  table.add("experiment.phantom_seed", &config.phantom_seed, kResult,
            "seed of those phantoms");
  table.add("experiment.quality_images", &config.quality_images, kResult,
            "images of each set whose quality and likeness to training images "
            "is measured, at most; 0 = none; 0.5 s each");
  table.add("experiment.smoke_test", &config.smoke_test, kResult,
            "say in the report that the diffusion here is a smoke test");
}

void describe_place(OptionTable& table, PlaceConfig& place) {
  table.add(
      "place.weights", &place.weights, kPlace,
      "weights of LiteMedSAM or SAM ViT: a .pth, a .safetensors, or a folder "
      "of Hugging Face's; empty: .deps/weights/lite_medsam.pth");
  table.add("place.cache", &place.cache, kPlace,
            "folder of the embedding cache (4 MB an image); empty: RUN/cache");
  table.add("place.cache_gb", &place.cache_gb, kSpeed,
            "size of the embedding cache at most, GB");
  table.add("place.device", &place.device, kPlace,
            "device that ranks compute on; today only cpu");
  table.add("place.step_deadline", &place.deadlines.step, kPlace,
            "seconds without progress in a step, or without a sign of life of "
            "a rank that others wait for, that end the job");
  table.add("place.start_deadline", &place.deadlines.start, kPlace,
            "the same at the start and while a rank prepares or checks data");
  table.add("place.recorder", &place.recorder, kPlace,
            "node-local folder of the flight recorder; empty: $TMPDIR or /tmp");
}

void validate_data(const DataConfig& data) {
  const std::set<std::string> names(data.cohorts.begin(), data.cohorts.end());
  if (names.empty() || names.size() != data.cohorts.size()) {
    throw ConfigError("option data.cohorts must name each cohort once");
  }
  for (const auto& name : data.cohorts) {
    const auto found = data.sources.find(name);
    if (found == data.sources.end() || found->second.empty()) {
      throw ConfigError("option data." + name +
                        " is not set: give the folder "
                        "of that cohort with --set data." +
                        name + "=FOLDER");
    }
  }
  for (const auto& [name, source] : data.sources) {
    if (names.count(name)) continue;
    std::vector<std::string> known = data.cohorts;
    for (const char* key : {"cohorts", "train", "test_fraction", "split_seed",
                            "phantom_count", "mask", "test_limit"}) {
      known.push_back(key);
    }
    throw ConfigError("option data." + name +
                      " is neither an option nor a "
                      "cohort of data.cohorts; the nearest known one is data." +
                      nearest_name(name, known));
  }
  check_choice("data.train", data.train, data.cohorts);
  data.annotations.validate();
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
    check_choice("experiment.prompts", prompt, {"gt-box", "frame", "self"});
  }
  for (const auto& style : config.phantom_styles) {
    check_choice("experiment.phantom_styles", style, scanner_style_names());
  }
  check_range("experiment.seeds", config.seeds, 1, 1000);
  check_range("experiment.draws", config.draws, 1, 1000);
  check_range("experiment.synthetic_count", config.synthetic_count, 1, 1e8);
  check_choice("experiment.augmented_box", config.augmented_box,
               {"after", "before"});
  check_range("experiment.quality_images", config.quality_images, 0, 1e6);
  check_range("experiment.augmented_variants", config.augmented_variants, 1,
              1000);
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

const std::vector<std::string>& known_arms() {
  static const std::vector<std::string> kArms = {
      "none", "weak", "strong", "us-aug", "phantom", "concat", "joint"};
  return kArms;
}

bool is_diffusion_arm(const std::string& arm) {
  return arm == "concat" || arm == "joint";
}

void Recipe::validate() const {
  validate_data(data);
  validate_experiment(experiment);
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
  check_range("generate.samples_per_shard", generate.samples_per_shard, 1, 1e6);
  dist.validate();
  pretrain.validate("pretrain");
  adapt.validate("adapt");
  segment.validate("segment");
  gate.validate();
  check_range("place.cache_gb", place.cache_gb, 0.1, 1e6);
  check_choice("place.device", place.device, {"cpu", "cuda"});
  check_range("place.step_deadline", place.deadlines.step, 0.1, 1e6);
  check_range("place.start_deadline", place.deadlines.start, 0.1, 1e6);
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
  check("segment", segment);
  if (std::none_of(experiment.arms.begin(), experiment.arms.end(),
                   is_diffusion_arm)) {
    return;
  }
  check("pretrain", pretrain);
  check("adapt", adapt);
}

void describe(OptionTable& table, Recipe& recipe) {
  describe_data(table, recipe.data);
  describe_experiment(table, recipe.experiment);
  describe(table, "diffusion", recipe.diffusion);
  describe(table, "augment", recipe.augment);
  describe(table, recipe.dist);
  describe(table, "pretrain", recipe.pretrain);
  describe(table, "adapt", recipe.adapt);
  describe(table, "segment", recipe.segment);
  describe(table, recipe.gate);
  table.add("generate.samples_per_shard", &recipe.generate.samples_per_shard,
            kResult, "synthetic pairs in one shard (one tar file)");
  describe_place(table, recipe.place);
}

}  // namespace sono
