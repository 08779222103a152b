#include "experiments/diffusion_stages.h"

#include "core/hash.h"
#include "experiments/diffusion_examples.h"
#include "experiments/synthetic_dataset.h"
#include "models/io/safetensors.h"
#include "trainer/compute_device.h"
#include "trainer/diffusion_task.h"

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
  model.unet().to(compute_device());
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

ShardSample to_shard_sample(const GeneratedPair& pair, const Recipe& recipe,
                            const GenerationJob& job, bool joint) {
  ShardSample sample;
  sample.key = sample_key(pair.index);
  sample.image = pair.image;
  GateVerdict verdict;
  if (joint) {
    verdict =
        judge_outline(pair.image, pair.outline, recipe.gate, &sample.mask);
  } else {
    sample.mask = pair.mask;
    verdict = judge_pair(pair.image, pair.mask, recipe.gate);
  }
  sample.provenance = job.provenance;
  sample.provenance["sample"] = pair.index;
  sample.provenance["class_id"] = pair.class_id;
  sample.provenance["gate"] = gate_record(verdict);
  if (sample.mask.empty()) {
    sample.mask = cv::Mat::zeros(pair.image.size(), CV_8UC1);
  }
  return sample;
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
        model.unet().to(compute_device());
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

// An adapted generator with what its pairs are drawn from.
class PixelPairs {
 public:
  PixelPairs(const RunContext& context, const Study& study, const ArmRun& run,
             const StageResult& adapted)
      : context_(context),
        model_(config_of_arm(context.recipe, run.arm)),
        prior_(training_prior(study, run)) {
    const Recipe& recipe = context.recipe;
    load_weights(model_, adapted);
    if (run.arm == "sdedit") {
      conditions_.start = phantom_starts(recipe, study, run);
      conditions_.start_strength = recipe.experiment.sdedit_strength;
    } else {
      conditions_.outlines = &prior_;
      conditions_.class_ids = training_classes(recipe, study, run);
    }
  }

  std::vector<ShardSample> make(const std::vector<PairAttempt>& attempts,
                                const GenerationJob& job) const {
    GenerateOptions options;
    options.seed = job.order.seed;
    options.before_call = [this] { context_.proceed(); };
    std::vector<ShardSample> samples;
    for (const auto& pair :
         generate_pairs(model_, conditions_, attempts, options)) {
      samples.push_back(
          to_shard_sample(pair, context_.recipe, job, model_.config().joint()));
    }
    return samples;
  }

 private:
  const RunContext& context_;
  DiffusionModel model_;
  EllipsePrior prior_;
  GeneratorConditions conditions_;  // points to prior_
};

}  // namespace

GenerationJob pixel_generation(const RunContext& context, const Study& study,
                               const ArmRun& run, const StageResult& adapted,
                               GenerationOrder order) {
  const Recipe& recipe = context.recipe;
  GenerationJob job;
  job.label = run.label();
  job.order = std::move(order);
  job.inputs = {{"mode", run.arm},
                {"weights", adapted.outputs.at("sha256")},
                {"real", study.subset_inputs(run)},
                {"machine", context.machine}};
  if (run.arm == "sdedit") {
    job.inputs["phantoms"] = phantom_inputs(recipe.experiment);
    job.inputs["strength"] = recipe.experiment.sdedit_strength;
  }
  job.provenance = {{"generator", run.arm},
                    {"sampler", recipe.diffusion.sampler.kind},
                    {"sampling_steps", recipe.diffusion.sampler.num_steps}};
  finish_job(job, adapted.outputs.at("sha256"));
  job.open = [&context, &study, run, adapted](const GenerationJob& asked) {
    const auto pairs =
        std::make_shared<const PixelPairs>(context, study, run, adapted);
    return [pairs, &asked](const std::vector<PairAttempt>& attempts) {
      return pairs->make(attempts, asked);
    };
  };
  job.copies = [&study, run, &recipe] {
    return copy_detector(
        study, run,
        {recipe.diffusion.image_width, recipe.diffusion.image_height});
  };
  return job;
}

}  // namespace sono
