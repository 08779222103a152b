#include "experiments/diffusion_stages.h"

#include "core/hash.h"
#include "experiments/diffusion_examples.h"
#include "experiments/synthetic_dataset.h"
#include "models/io/safetensors.h"
#include "trainer/diffusion_task.h"
#include "trainer/generate.h"

namespace sono {
namespace {

DiffusionConfig config_of_arm(const Recipe& recipe, const std::string& arm) {
  DiffusionConfig config = recipe.diffusion;
  config.mode = generator_mode(arm);
  return config;
}

void load_weights(DiffusionModel& model, const StageResult& stage) {
  const auto file = stage.dir / stage.outputs.at("weights").get<std::string>();
  model.unet().load_state(load_safetensors(file), file.string());
}

// What a training depends on: the sampling options do not belong to it.
nlohmann::json training_options(const RunContext& context,
                                const std::string& section) {
  nlohmann::json options =
      context.options.results({"diffusion", "augment", "dist", section});
  for (const char* key :
       {"sampler", "timestep_spacing", "sampling_steps", "steps_offset",
        "clip_sample", "eta", "variance", "solver_order", "solver",
        "karras_sigmas", "final_sigma", "corrected", "guidance_scale",
        "guidance_rescale"}) {
    options.erase(std::string("diffusion.") + key);
  }
  return options;
}

// Trains and says where the weights to use are: the moving average where one
// is kept.
nlohmann::json train_generator(const RunContext& context, DiffusionModel& model,
                               DiffusionExamples examples,
                               const TrainConfig& config,
                               const std::string& stage_hash,
                               const std::filesystem::path& dir,
                               const std::string& label) {
  DiffusionTaskConfig task_config;
  task_config.batch_size = config.batch_size;
  task_config.seed = config.seed;
  task_config.augmentation = context.recipe.augment;
  DiffusionTask task(model, std::move(examples), task_config);
  const TrainResult result =
      train(context.comm, task, config, stage_hash, dir / "checkpoints",
            context.stop, &context.log, label, telemetry_of(context, label));
  const char* name =
      config.ema_decay > 0 ? "ema.safetensors" : "model.safetensors";
  const auto weights = result.checkpoint / name;
  return {{"weights", weights.lexically_relative(dir).string()},
          {"sha256", sha256_file(weights)},
          {"steps", config.steps},
          {"loss", result.loss},
          {"skipped_steps", result.skipped_steps}};
}

struct GenerationPlan {
  DatasetPlan dataset;
  DiffusionConfig diffusion;
  nlohmann::json provenance;  // what all pairs share
};

ShardSample to_shard_sample(const GeneratedPair& pair, const Recipe& recipe,
                            const GenerationPlan& plan) {
  ShardSample sample;
  sample.key = sample_key(pair.index);
  sample.image = pair.image;
  GateVerdict verdict;
  if (plan.diffusion.joint()) {
    verdict =
        judge_outline(pair.image, pair.outline, recipe.gate, &sample.mask);
  } else {
    sample.mask = pair.mask;
    verdict = judge_pair(pair.image, pair.mask, recipe.gate);
  }
  sample.provenance = plan.provenance;
  sample.provenance["sample"] = pair.index;
  sample.provenance["class_id"] = pair.class_id;
  sample.provenance["gate"] = gate_record(verdict);
  if (sample.mask.empty()) {
    sample.mask = cv::Mat::zeros(pair.image.size(), CV_8UC1);
  }
  return sample;
}

// The pairs of one shard.
std::vector<ShardSample> make_pairs(const RunContext& context,
                                    const DiffusionModel& model,
                                    const GeneratorConditions& conditions,
                                    const GenerationPlan& plan,
                                    std::uint64_t seed, std::int64_t shard) {
  GenerateRange range;
  range.first_index = plan.dataset.first_sample(shard);
  range.count = plan.dataset.samples_in(shard);
  range.seed = seed;
  range.before_call = [&] { context.proceed(); };
  std::vector<ShardSample> samples;
  for (const auto& pair : generate_pairs(model, conditions, range)) {
    samples.push_back(to_shard_sample(pair, context.recipe, plan));
  }
  return samples;
}

}  // namespace

StageResult pretrain_generator(const RunContext& context,
                               const std::string& mode) {
  const Recipe& recipe = context.recipe;
  TrainConfig config = recipe.pretrain;
  config.dist = recipe.dist;
  config.seed = recipe.experiment.phantom_seed;
  const nlohmann::json inputs = {
      {"mode", mode},
      {"options", training_options(context, "pretrain")},
      {"phantoms", phantom_inputs(recipe.experiment)},
      {"machine", context.machine}};
  return context.stages.run(
      "pretrain-" + mode, inputs, [&](const std::filesystem::path& dir) {
        DiffusionModel model(config_of_arm(recipe, mode));
        model.unet().initialize(config.seed);
        return train_generator(context, model, phantom_examples(recipe), config,
                               sha256_hex(inputs.dump()), dir,
                               "pretrain " + mode);
      });
}

StageResult adapt_generator(const RunContext& context, const Study& study,
                            const ArmRun& run, const StageResult& pretrained) {
  const Recipe& recipe = context.recipe;
  TrainConfig config = recipe.adapt;
  config.dist = recipe.dist;
  config.seed = run.seed;
  ArmRun adapted = run;
  adapted.arm = generator_mode(run.arm);
  const nlohmann::json inputs = {
      {"mode", adapted.arm},
      {"options", training_options(context, "adapt")},
      {"pretrained", pretrained.outputs.at("sha256")},
      {"real", study.subset_inputs(run)},
      {"seed", run.seed},
      {"machine", context.machine}};
  return context.stages.run(
      "adapt-" + adapted.label(), inputs,
      [&](const std::filesystem::path& dir) {
        DiffusionModel model(config_of_arm(recipe, run.arm));
        load_weights(model, pretrained);
        return train_generator(
            context, model, real_examples(recipe, study, run), config,
            sha256_hex(inputs.dump()), dir, "adapt " + adapted.label());
      });
}

namespace {

nlohmann::json generation_inputs(const RunContext& context, const Study& study,
                                 const ArmRun& run,
                                 const StageResult& adapted) {
  const ExperimentConfig& config = context.recipe.experiment;
  nlohmann::json inputs = {
      {"mode", run.arm},
      {"options", context.options.results({"diffusion", "gate", "generate"})},
      {"weights", adapted.outputs.at("sha256")},
      {"real", study.subset_inputs(run)},
      {"count", config.synthetic_count},
      {"seed", run.seed},
      {"machine", context.machine}};
  if (run.arm == "sdedit") {
    inputs["phantoms"] = phantom_inputs(config);
    inputs["strength"] = config.sdedit_strength;
  }
  return inputs;
}

GenerationPlan generation_plan(const Recipe& recipe, const ArmRun& run,
                               const std::string& config_hash,
                               const StageResult& adapted) {
  GenerationPlan plan;
  plan.diffusion = config_of_arm(recipe, run.arm);
  plan.dataset.count = recipe.experiment.synthetic_count;
  plan.dataset.samples_per_shard = recipe.generate.samples_per_shard;
  plan.dataset.config_hash = config_hash;
  plan.dataset.weights_hash = adapted.outputs.at("sha256");
  plan.provenance = {{"generator", run.arm},
                     {"seed", run.seed},
                     {"weights", plan.dataset.weights_hash},
                     {"config", plan.dataset.config_hash},
                     {"sampler", plan.diffusion.sampler.kind},
                     {"sampling_steps", plan.diffusion.sampler.num_steps}};
  return plan;
}

}  // namespace

StageResult generate_dataset(const RunContext& context, const Study& study,
                             const ArmRun& run, const StageResult& adapted) {
  const Recipe& recipe = context.recipe;
  const nlohmann::json inputs = generation_inputs(context, study, run, adapted);
  return context.stages.run(
      "generate-" + run.label(), inputs, [&](const std::filesystem::path& dir) {
        const GenerationPlan plan =
            generation_plan(recipe, run, sha256_hex(inputs.dump()), adapted);
        DiffusionModel model(plan.diffusion);
        load_weights(model, adapted);
        const EllipsePrior prior = training_prior(study, run);
        GeneratorConditions conditions;
        if (run.arm == "sdedit") {
          conditions.start = phantom_starts(recipe, study, run);
          conditions.start_strength = recipe.experiment.sdedit_strength;
        } else {
          conditions.outlines = &prior;
          conditions.class_ids = training_classes(recipe, study, run);
        }
        return make_dataset(context, plan.dataset, dir, run.label(),
                            [&](std::int64_t shard) {
                              return make_pairs(context, model, conditions,
                                                plan, run.seed, shard);
                            });
      });
}

}  // namespace sono
