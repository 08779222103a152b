#include "experiments/latent_stages.h"

#include "core/error.h"
#include "core/hash.h"
#include "data/pack_cache.h"
#include "experiments/latent_encoders.h"
#include "experiments/latent_sampler.h"
#include "experiments/latent_trainee.h"
#include "experiments/node_copy.h"
#include "experiments/stable_diffusion_hash.h"
#include "experiments/vae_round_trip.h"
#include "models/io/safetensors.h"
#include "models/lora/lora_file.h"
#include "trainer/latent_cache.h"
#include "trainer/latent_task.h"
#include "trainer/trainer.h"

namespace sono {
namespace {

// Of these stages' results. 2: frozen products by other kernels, which round
// otherwise.
constexpr int kVersion = 2;
constexpr char kTrainedFolder[] = "lora";
constexpr char kControlNetFile[] = "diffusion_pytorch_model.safetensors";

std::string group_label(const ArmRun& run, const LatentGroup& group) {
  return run.label() + (group.name.empty() ? "" : "-" + group.name);
}

nlohmann::json images_of(const Study& study, const ArmRun& run,
                         const LatentGroup& group) {
  const StudyCohort& entry = study.cohort(run.cohort);
  std::vector<std::string> ids;
  for (std::size_t i : group.images) ids.push_back(entry.cohort->info(i).id);
  return {{"cohort", entry.content_hash}, {"images", ids}};
}

// What a training depends on: the sampling options do not belong to it.
nlohmann::json training_options(const RunContext& context) {
  nlohmann::json options = context.options.results(
      {"stable_diffusion", "lora", "text_lora", "dist", "adapt"});
  for (const char* key :
       {"sampler", "sampling_steps", "guidance_scale", "lora_strength",
        "outline_threshold", "negative_prompt"}) {
    options.erase(std::string("stable_diffusion.") + key);
  }
  return options;
}

LatentImageConfig image_config(const Recipe& recipe, const ArmRun& run,
                               const LatentGroup& group) {
  LatentImageConfig config;
  config.channels = run.arm == kImagesArm ? "grey" : run.arm;
  config.caption = group.caption;
  config.size.resolution = recipe.stable_diffusion.resolution;
  config.size.aspect = false;
  return config;
}

struct CachedExamples {
  LatentExamples examples;
  double scaling_factor = 1;  // of the latents
};

// The frozen encoders go when this returns.
CachedExamples cached_examples(const RunContext& context, const Study& study,
                               const ArmRun& run, const LatentGroup& group,
                               const LatentModel& model, PackCache& cache) {
  const Recipe& recipe = context.recipe;
  const LatentEncoders encoders(
      model.files(), model.hashes(),
      {recipe.stable_diffusion.clip_skip,
       /*text_is_trained=*/recipe.text_lora.trained()});
  const auto images = std::make_shared<const LatentImages>(
      study.training(run), group.images, image_config(recipe, run, group),
      run.seed);
  CachedExamples cached{cache_latents(context.comm, images, encoders.frozen(),
                                      cache, context.stop),
                        encoders.autoencoder().config().scaling_factor};
  if (images->guidance() == MaskGuidance::kJoint) {
    const VaeRoundTrip result = vae_round_trip(
        context.comm, encoders.autoencoder(), *images,
        {.outline_threshold = recipe.stable_diffusion.outline_threshold});
    if (context.rank_zero()) {
      report_round_trip(result, "adapt " + group_label(run, group),
                        context.log);
    }
  }
  return cached;
}

PackCacheConfig cache_config(const PlaceConfig& place) {
  PackCacheConfig config;
  config.max_mib = static_cast<std::int64_t>(place.cache_gb * 1024);
  return config;
}

std::filesystem::path cache_folder(const RunContext& context) {
  const std::string& own = context.recipe.place.cache;
  return own.empty() ? context.out / "cache" : std::filesystem::path(own);
}

TrainConfig train_config(const Recipe& recipe, const ArmRun& run) {
  TrainConfig config = recipe.adapt;
  config.dist = recipe.dist;
  config.seed = run.seed;
  return config;
}

LatentTaskConfig task_config(const Recipe& recipe, const TrainConfig& config,
                             const SchedulerFile& scheduler) {
  LatentTaskConfig task;
  task.batch_size = config.batch_size;
  task.prediction =
      parse_prediction("stable_diffusion.folder", scheduler.prediction);
  task.noise = scheduler.noise;
  task.text_rate_factor = recipe.text_lora.rate_factor(config.learning_rate);
  return task;
}

LatentDrawConfig draw_config(const Recipe& recipe, const TrainConfig& config,
                             const SchedulerFile& scheduler,
                             double scaling_factor) {
  LatentDrawConfig draws;
  draws.batch_size = config.batch_size;
  draws.seed = config.seed;
  draws.num_train_timesteps = scheduler.noise.num_train_timesteps;
  draws.scaling_factor = scaling_factor;
  draws.mask_dropout = recipe.stable_diffusion.mask_dropout;
  return draws;
}

LatentTraineeOptions trainee_options(const Recipe& recipe, const ArmRun& run) {
  LatentTraineeOptions options;
  options.lora = recipe.lora;
  options.text_lora = recipe.text_lora;
  options.guidance = guidance_of(run);
  const bool half = recipe.stable_diffusion.base_dtype == "bfloat16";
  options.base_dtype = half ? at::kBFloat16 : at::kFloat;
  options.clip_skip = recipe.stable_diffusion.clip_skip;
  options.seed = run.seed;
  return options;
}

// Of all files that a training wrote, which lie in `folder`.
std::string hash_of_files(const std::filesystem::path& folder) {
  std::string all;
  for (const char* name :
       {kDiffusersLoraFile, kWideInputFile, kControlNetFile}) {
    if (std::filesystem::exists(folder / name)) {
      all += sha256_file(folder / name);
    }
  }
  return all.size() == 64 ? all : sha256_hex(all);
}

nlohmann::json train_lora_of(const RunContext& context, const ArmRun& run,
                             CachedExamples cached, const LatentModel& model,
                             const std::string& label,
                             const std::string& stage_hash,
                             const std::filesystem::path& dir) {
  const Recipe& recipe = context.recipe;
  const TrainConfig config = train_config(recipe, run);
  LatentTrainee trainee(model.files(), trainee_options(recipe, run));
  trainee.load();
  LatentDraws draws(
      std::move(cached.examples),
      draw_config(recipe, config, model.scheduler(), cached.scaling_factor));
  LatentTask task(
      trainee.networks(), [&](std::uint64_t sample) { return draws(sample); },
      task_config(recipe, config, model.scheduler()));
  const TrainResult result =
      train(context.comm, task, config, stage_hash, dir / "checkpoints",
            context.stop, &context.log, label, telemetry_of(context, label));
  run_together(context.comm, [&] {
    if (!context.rank_zero()) return;
    if (config.ema_decay > 0) trainee.use_average(task, result.checkpoint);
    trainee.save(LoraDialect::kDiffusers, dir / kTrainedFolder);
  });
  const bool control = guidance_of(run) == MaskGuidance::kControlNet;
  const char* file = control ? kControlNetFile : kDiffusersLoraFile;
  return {{"weights", std::filesystem::path(kTrainedFolder) / file},
          {"sha256", hash_of_files(dir / kTrainedFolder)},
          {"steps", config.steps},
          {"loss", result.loss}};
}

}  // namespace

LatentModel::LatentModel(const RunContext& context) {
  const std::filesystem::path folder = context.recipe.stable_diffusion.folder;
  if (!std::filesystem::is_directory(folder)) {
    throw ConfigError("option stable_diffusion.folder = " + folder.string() +
                      ": no such folder; give a model as diffusers' "
                      "save_pretrained writes it");
  }
  const std::filesystem::path here =
      staged_weights(context.recipe.place, folder);
  files_ = open_diffusers_folder(here, {});
  scheduler_ = read_scheduler_file(here / "scheduler" / "scheduler_config.json",
                                   context.recipe.stable_diffusion.sampler);
  hashes_ = hashes_of_model(context.comm, here, {}, [&] { context.proceed(); });
}

StageResult adapt_latent(const RunContext& context, const Study& study,
                         const ArmRun& run, const LatentGroup& group,
                         const LatentModel& model) {
  const std::string label = group_label(run, group);
  const nlohmann::json inputs = {{"version", kVersion},
                                 {"mode", run.arm},
                                 {"options", training_options(context)},
                                 {"model", model.hashes()},
                                 {"real", images_of(study, run, group)},
                                 {"caption", group.caption},
                                 {"seed", run.seed},
                                 {"machine", context.machine}};
  return context.stages.run(
      "adapt-" + label, inputs, [&](const std::filesystem::path& dir) {
        PackCache cache(cache_folder(context),
                        cache_config(context.recipe.place));
        CachedExamples cached =
            cached_examples(context, study, run, group, model, cache);
        return train_lora_of(context, run, std::move(cached), model,
                             "adapt " + label, sha256_hex(inputs.dump()), dir);
      });
}

GenerationJob latent_generation(const RunContext& context, const Study& study,
                                const ArmRun& run,
                                const std::vector<LatentGroup>& groups,
                                const std::vector<StageResult>& adapted,
                                const LatentModel& model,
                                GenerationOrder order) {
  const StableDiffusionConfig& config = context.recipe.stable_diffusion;
  GenerationJob job;
  job.label = run.label();
  job.order = std::move(order);
  // A group's share depends on the count.
  if (groups.size() > 1) job.order.key["count"] = job.order.count;
  job.inputs = {{"version", kVersion},
                {"mode", run.arm},
                {"model", model.hashes()},
                {"machine", context.machine}};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    job.inputs["groups"].push_back(
        {{"weights", adapted[i].outputs.at("sha256")},
         {"prompts", groups[i].prompts}});
  }
  job.provenance = {{"generator", run.arm},
                    {"sampler", config.sampler},
                    {"sampling_steps", config.sampling_steps}};
  finish_job(job, sha256_hex(job.inputs.at("groups").dump()));
  job.open = [&context, &study, run, groups,
              adapted](const GenerationJob& asked) {
    const auto sampler =
        std::make_shared<LatentSampler>(context, study, run, groups, adapted);
    return [sampler, &asked](const std::vector<PairAttempt>& attempts) {
      std::vector<ShardSample> samples;
      for (const PairAttempt& pair : attempts) {
        samples.push_back(sampler->make(pair, asked));
      }
      return samples;
    };
  };
  job.copies = [&study, run] {
    return copy_detector(study, run, MemorizationConfig().size);
  };
  return job;
}

}  // namespace sono
