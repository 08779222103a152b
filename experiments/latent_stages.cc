#include "experiments/latent_stages.h"

#include "core/error.h"
#include "core/hash.h"
#include "data/pack_cache.h"
#include "experiments/latent_sampler.h"
#include "experiments/stable_diffusion_hash.h"
#include "experiments/synthetic_dataset.h"
#include "models/io/safetensors.h"
#include "models/lora/lora_file.h"
#include "models/text/clip_text_model.h"
#include "models/text/clip_tokenizer.h"
#include "models/unet/config_file.h"
#include "models/vae/autoencoder_kl.h"
#include "trainer/latent_cache.h"
#include "trainer/latent_task.h"
#include "trainer/trainer.h"

namespace sono {
namespace {

constexpr char kLoraFolder[] = "lora";
constexpr char kLoraFile[] = "lora/pytorch_lora_weights.safetensors";

bool joint(const ArmRun& run) { return run.arm == "joint"; }

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
  nlohmann::json options =
      context.options.results({"stable_diffusion", "lora", "dist", "adapt"});
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
  config.channels = joint(run) ? "joint" : "grey";
  config.caption = group.caption;
  config.size.resolution = recipe.stable_diffusion.resolution;
  config.size.aspect = false;
  return config;
}

// Frozen encoders as the cache wants them; they go when this returns.
struct CachedExamples {
  LatentExamples examples;
  double scaling_factor = 1;  // of the latents
};

CachedExamples cached_examples(const RunContext& context, const Study& study,
                               const ArmRun& run, const LatentGroup& group,
                               const LatentModel& model, PackCache& cache) {
  const int clip_skip = context.recipe.stable_diffusion.clip_skip;
  const Pretrained& files = model.files();
  AutoencoderKL autoencoder(
      read_autoencoder_config(files.config(ModelPart::kVae)));
  ClipTextModel text(
      ClipTextConfig::read(files.config(ModelPart::kTextEncoder)));
  const ClipTokenizer tokenizer(files.tokenizer_folder());
  files.load(ModelPart::kVae, autoencoder);
  files.load(ModelPart::kTextEncoder, text);
  text.check_tokenizer(tokenizer, files.tokenizer_folder().string());
  FrozenEncoders encoders;
  encoders.autoencoder_hash = model.hashes().at("vae");
  encoders.text_hash = model.hashes().at("text_encoder") +
                       model.hashes().at("tokenizer") +
                       std::to_string(clip_skip);
  encoders.downscale = autoencoder.config().downscale();
  encoders.latent_channels = autoencoder.config().latent_channels;
  encoders.text_width = text.config().hidden_size;
  encoders.encode = [&](const at::Tensor& image) {
    const at::NoGradGuard no_grad;
    const LatentMoments moments = autoencoder.encode(image);
    return at::cat({moments.mean, moments.logvar});
  };
  encoders.embed = [&](const std::string& caption) {
    const at::NoGradGuard no_grad;
    return text(tokenizer.encode_all({caption}), clip_skip)[0];
  };
  const LatentImages images(study.training(run), group.images,
                            image_config(context.recipe, run, group), run.seed);
  return {cache_latents(context.comm, images, encoders, cache, context.stop),
          autoencoder.config().scaling_factor};
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

LatentTaskConfig task_config(const TrainConfig& config,
                             const SchedulerFile& scheduler) {
  LatentTaskConfig task;
  task.batch_size = config.batch_size;
  task.prediction =
      parse_prediction("stable_diffusion.folder", scheduler.prediction);
  task.noise = scheduler.noise;
  return task;
}

LatentDrawConfig draw_config(const TrainConfig& config,
                             const SchedulerFile& scheduler,
                             double scaling_factor) {
  LatentDrawConfig draws;
  draws.batch_size = config.batch_size;
  draws.seed = config.seed;
  draws.num_train_timesteps = scheduler.noise.num_train_timesteps;
  draws.scaling_factor = scaling_factor;
  return draws;
}

// The trained additions, or their moving average where one is kept.
void write_lora(const TrainConfig& config, const TrainResult& result,
                LoraSet& lora, const std::filesystem::path& folder) {
  if (config.ema_decay > 0) {
    const auto averaged = result.checkpoint / "ema.safetensors";
    const std::string prefix = "unet.";
    StateDict own;
    for (const auto& [name, tensor] : load_safetensors(averaged)) {
      own[name.substr(prefix.size())] = tensor;
    }
    lora.load_state(own, averaged.string());
  }
  save_lora(LoraDialect::kDiffusers, folder, {{"unet", &lora}});
}

nlohmann::json train_lora_of(const RunContext& context, const ArmRun& run,
                             CachedExamples cached, const LatentModel& model,
                             const std::string& label,
                             const std::string& stage_hash,
                             const std::filesystem::path& dir) {
  const Recipe& recipe = context.recipe;
  const TrainConfig config = train_config(recipe, run);
  UNet unet(read_unet_config(model.files().config(ModelPart::kUNet)));
  model.files().load(ModelPart::kUNet, unet);
  LoraSet lora(unet, choose_targets(unet, recipe.lora, "unet", "lora"),
               recipe.lora.init);
  lora.initialize(run.seed);
  lora.set_dropout(recipe.lora.dropout, run.seed);
  LatentDraws draws(
      std::move(cached.examples),
      draw_config(config, model.scheduler(), cached.scaling_factor));
  LatentTask task(
      unet, &lora, [&](std::uint64_t sample) { return draws(sample); },
      task_config(config, model.scheduler()));
  const TrainResult result =
      train(context.comm, task, config, stage_hash, dir / "checkpoints",
            context.stop, &context.log, label);
  run_together(context.comm, [&] {
    if (context.rank_zero()) {
      write_lora(config, result, lora, dir / kLoraFolder);
    }
  });
  return {{"weights", kLoraFile},
          {"sha256", sha256_file(dir / kLoraFile)},
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
  files_ = open_diffusers_folder(folder, {});
  scheduler_ =
      read_scheduler_file(folder / "scheduler" / "scheduler_config.json");
  nlohmann::json found;
  run_together(context.comm, [&] {
    if (!context.rank_zero()) return;
    for (const char* part :
         {"unet", "vae", "text_encoder", "tokenizer", "scheduler"}) {
      found[part] = hash_of_part(folder, part, [&] { context.proceed(); });
    }
  });
  hashes_ = nlohmann::json::parse(broadcast_string(context.comm, found.dump()))
                .get<std::map<std::string, std::string>>();
}

StageResult adapt_latent(const RunContext& context, const Study& study,
                         const ArmRun& run, const LatentGroup& group,
                         const LatentModel& model) {
  const std::string label = group_label(run, group);
  const nlohmann::json inputs = {
      {"mode", run.arm},           {"options", training_options(context)},
      {"model", model.hashes()},   {"real", images_of(study, run, group)},
      {"caption", group.caption},  {"seed", run.seed},
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

StageResult generate_latent(const RunContext& context, const ArmRun& run,
                            const std::vector<LatentGroup>& groups,
                            const std::vector<StageResult>& adapted,
                            const LatentModel& model) {
  const Recipe& recipe = context.recipe;
  nlohmann::json inputs = {
      {"mode", run.arm},
      {"options",
       context.options.results({"stable_diffusion", "gate", "generate"})},
      {"model", model.hashes()},
      {"count", recipe.experiment.synthetic_count},
      {"seed", run.seed},
      {"machine", context.machine}};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    inputs["groups"].push_back({{"weights", adapted[i].outputs.at("sha256")},
                                {"prompts", groups[i].prompts}});
  }
  return context.stages.run(
      "generate-" + run.label(), inputs, [&](const std::filesystem::path& dir) {
        DatasetPlan plan;
        plan.count = recipe.experiment.synthetic_count;
        plan.samples_per_shard = recipe.generate.samples_per_shard;
        plan.config_hash = sha256_hex(inputs.dump());
        plan.weights_hash = sha256_hex(inputs.at("groups").dump());
        const nlohmann::json provenance = {
            {"generator", run.arm},
            {"seed", run.seed},
            {"weights", plan.weights_hash},
            {"config", plan.config_hash},
            {"sampler", recipe.stable_diffusion.sampler},
            {"sampling_steps", recipe.stable_diffusion.sampling_steps}};
        LatentSampler sampler(context, run, groups, adapted);
        return make_dataset(
            context, plan, dir, run.label(), [&](std::int64_t shard) {
              std::vector<ShardSample> samples;
              for (std::int64_t i = 0; i < plan.samples_in(shard); ++i) {
                samples.push_back(
                    sampler.make(plan.first_sample(shard) + i, provenance));
              }
              return samples;
            });
      });
}

}  // namespace sono
