#include "experiments/plan/costs.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>

#include "core/error.h"
#include "experiments/diffusion_examples.h"
#include "experiments/metrics/score.h"
#include "experiments/segmentation_stages.h"
#include "trainer/diffusion_task.h"
#include "trainer/generate.h"
#include "trainer/segmentation_task.h"

namespace sono {
namespace {

bool has(const Plan& plan, Work work) {
  return std::any_of(plan.stages.begin(), plan.stages.end(),
                     [&](const PlannedStage& s) { return s.work == work; });
}

double seconds_of(const std::function<void()>& work) {
  work();  // allocations and first touches do not count
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

// Where costs are measured: on all ranks at the same time.
struct Place {
  Communicator& comm;
  const StepProbe& probe;
};

StepCost diffusion_step(DiffusionModel& model, DiffusionExamples examples,
                        const TrainConfig& config,
                        const DiffusionAugmentConfig& augmentation,
                        const Place& place) {
  DiffusionTaskConfig task_config;
  task_config.batch_size = config.batch_size;
  task_config.augmentation = augmentation;
  DiffusionTask task(model, std::move(examples), task_config);
  return measure_step(place.comm, task, config, place.probe);
}

double lane_of(const StepCost& cost, const TrainConfig& config) {
  return cost.sample * static_cast<double>(largest_lane(config));
}

void measure_generator(const Recipe& recipe, const Place& place,
                       UnitCosts& costs) {
  constexpr std::int64_t kBatch = 8;  // of generate_pairs
  DiffusionConfig config = recipe.diffusion;
  config.mode = "concat";
  config.sampler.num_steps =
      std::min<std::int64_t>(config.sampler.num_steps, 2);
  DiffusionModel model(config);
  model.unet().initialize(0);
  const TrainConfig pretrain = training_of(recipe, Work::kPretrain);
  costs.pretrain = diffusion_step(model, phantom_examples(recipe), pretrain,
                                  recipe.augment, place);
  costs.pretrain_lane = lane_of(*costs.pretrain, pretrain);
  const DiffusionExamples phantoms = phantom_examples(recipe);
  Random unused(make_key("plan", 0));
  const DiffusionExample drawn = phantoms.get(0, unused);
  const TrainConfig adapt = training_of(recipe, Work::kAdapt);
  costs.adapt = diffusion_step(
      model, {recipe.adapt.batch_size, [&](auto, auto&) { return drawn; }},
      adapt, recipe.augment, place);
  costs.adapt_lane = lane_of(*costs.adapt, adapt);
  model.unet().requires_grad(false);
  GeneratorConditions conditions;
  conditions.start = [&](std::int64_t) { return drawn; };
  conditions.start_strength = 1;
  const double call = seconds_of([&] {
    generate_pairs(model, conditions, first_attempts(0, kBatch),
                   {.batch_size = kBatch});
  });
  costs.generate_image = call / static_cast<double>(kBatch) *
                         recipe.diffusion.sampler.num_steps /
                         config.sampler.num_steps;
}

// Operations (two a multiply-add) of Stable Diffusion 1.5 at 512 px: one call
// of the UNet 0.339 TMAC, the decoder 1.24 (Kim et al. 2023, BK-SDM, table 1).
constexpr double kUNetOperations = 2 * 0.339e12;
constexpr double kDecoderOperations = 2 * 1.24e12;
// Backward through frozen layers costs what forward does; the LoRA little.
constexpr double kTrainingCalls = 2.1;

// Of a 3x3 convolution of 320 channels on 64 x 64 px.
double operations_per_second() {
  const at::NoGradGuard no_grad;
  const at::Tensor x = at::ones({1, 320, 64, 64});
  const at::Tensor weight = at::ones({320, 320, 3, 3});
  const double seconds = seconds_of([&] { at::conv2d(x, weight, {}, 1, 1); });
  return 2.0 * 9 * 320 * 320 * 64 * 64 / seconds;
}

void count_latent(const Recipe& recipe, UnitCosts& costs) {
  const StableDiffusionConfig& config = recipe.stable_diffusion;
  const double speed = operations_per_second();
  const double area = config.resolution * config.resolution / (512.0 * 512.0);
  const double calls =
      config.sampling_steps * (config.guidance_scale > 1 ? 2.0 : 1.0);
  costs.generate_image =
      area * (calls * kUNetOperations + kDecoderOperations) / speed;
  costs.adapt_lane = area * kTrainingCalls * kUNetOperations / speed *
                     static_cast<double>(largest_lane(recipe.adapt));
}

void measure_segmenter(const Recipe& recipe, const Place& place,
                       UnitCosts& costs) {
  Segmenter segmenter = Segmenter::load(find_weights(recipe));
  segmenter.set_frame_fit(frame_fit(recipe.tune.frame));
  segmenter.set_tuned_parts(tuned_parts(recipe.tune), recipe.tune.lora);
  const Sample sample = phantom_sample(recipe.experiment, kArmPhantoms, 0);
  at::Tensor embedding;
  costs.encode =
      seconds_of([&] { embedding = segmenter.encode(sample.image); });
  const SamFrame frame = segmenter.frame(sample.image.size());
  costs.predict = seconds_of([&] {
    Case row;
    score_case(segmenter.predict(embedding, frame.whole(), frame.native),
               sample.mask, row);
  });
  TrainingView view{
      embedding,
      frame_target(sample.mask, frame.side_px, segmenter.frame_fit()),
      frame.whole(), frame.whole()};
  if (segmenter.tuned_parts() != TunedParts::kDecoder) {
    view.embedding = at::Tensor();
    view.input = segmenter.input(sample.image);
  }
  TrainingPool pool;
  pool.count = 1;
  pool.get = [&](auto, auto) { return view; };
  SegmentationTaskConfig config;
  config.parts = segmenter.tuned_parts();
  config.batch_size = recipe.segment.batch_size;
  segmenter.begin_tuning(/*seed=*/0);
  SegmentationTask task(segmenter.model(), pool, {}, config, segmenter.lora());
  const TrainConfig tune = training_of(recipe, Work::kTune);
  costs.tune = measure_step(place.comm, task, tune, place.probe);
  costs.tune_lane = lane_of(*costs.tune, tune);
}

// Lanes that the busiest rank computes.
double turns(const TrainConfig& config, int ranks) {
  return static_cast<double>((config.lanes + ranks - 1) / ranks);
}

}  // namespace

TrainConfig training_of(const Recipe& recipe, Work work) {
  TrainConfig config = work == Work::kPretrain ? recipe.pretrain
                       : work == Work::kAdapt  ? recipe.adapt
                                               : recipe.segment;
  config.dist = recipe.dist;
  return config;
}

UnitCosts measure_costs(const Recipe& recipe, const Plan& plan,
                        Communicator& comm, const StepProbe& probe) {
  at::set_num_threads(1);  // as in a run
  const Place place{comm, probe};
  UnitCosts costs;
  if (has(plan, Work::kPhantoms)) {
    costs.phantom =
        seconds_of([&] { phantom_sample(recipe.experiment, kArmPhantoms, 0); });
  }
  if (recipe.latent()) {
    if (has(plan, Work::kAdapt)) count_latent(recipe, costs);
  } else if (has(plan, Work::kPretrain)) {
    measure_generator(recipe, place, costs);
  }
  if (!has(plan, Work::kTune)) return costs;
  try {
    measure_segmenter(recipe, place, costs);
  } catch (const ConfigError&) {  // the plan names the missing weights
  } catch (const DataError&) {
  }
  return costs;
}

double stage_seconds(const Recipe& recipe, const PlannedStage& stage,
                     const UnitCosts& costs, int ranks) {
  const auto items = static_cast<double>(stage.items);
  const double encoding =
      static_cast<double>(stage.encoded) * costs.encode / ranks;
  switch (stage.work) {
    case Work::kPhantoms:
      return items * costs.phantom / ranks;
    case Work::kPretrain:
      return items * costs.pretrain_lane * turns(recipe.pretrain, ranks);
    case Work::kAdapt:
      return items * costs.adapt_lane * turns(recipe.adapt, ranks);
    case Work::kGenerate:
      return items * costs.generate_image / ranks;
    case Work::kTune:
      return encoding + items * costs.tune_lane * turns(recipe.segment, ranks);
    case Work::kDetector:
      return items * costs.encode / ranks;
    case Work::kEvaluate:
      return encoding + items * costs.predict / ranks;
    case Work::kCheck:
    case Work::kReport:
      return 0;  // seconds
  }
  return 0;
}

}  // namespace sono
