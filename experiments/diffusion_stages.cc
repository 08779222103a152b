#include "experiments/diffusion_stages.h"

#include <map>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "core/hash.h"
#include "data/contact_sheet.h"
#include "data/image_file.h"
#include "data/shards/reader.h"
#include "data/shards/writer.h"
#include "experiments/diffusion_examples.h"
#include "models/io/safetensors.h"
#include "trainer/diffusion_task.h"
#include "trainer/generate.h"

namespace sono {
namespace {

DiffusionConfig config_of_arm(const Recipe& recipe, const std::string& arm) {
  DiffusionConfig config = recipe.diffusion;
  config.mode = arm;
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
            context.stop, &context.log, label);
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

// `kind` is the reason without its figures, to count by.
nlohmann::json gate_record(const GateVerdict& verdict) {
  const std::string kind =
      verdict.reason.substr(0, verdict.reason.find_first_of("0123456789-"));
  return {{"accepted", verdict.accepted},
          {"reason", verdict.reason},
          {"kind", kind},
          {"closure", verdict.closure},
          {"residual_px", verdict.residual_px},
          {"area_fraction", verdict.area_fraction},
          {"axis_ratio", verdict.axis_ratio},
          {"in_frame", verdict.in_frame},
          {"skull_fraction", verdict.skull_fraction},
          {"skull_contrast", verdict.skull_contrast},
          {"skull_significance", verdict.skull_significance}};
}

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

void generate_shards(const RunContext& context, const DiffusionModel& model,
                     const GeneratorConditions& conditions,
                     const GenerationPlan& plan, std::uint64_t seed,
                     const std::filesystem::path& dir,
                     const std::string& label) {
  const auto dataset = dir / "dataset";
  open_dataset(dataset, plan.dataset);
  LeasedWork work;
  work.items = plan.dataset.num_shards();
  work.is_done = [&](std::int64_t i) { return shard_done(dataset, i); };
  work.work = [&](std::int64_t i) {
    GenerateRange range;
    range.first_index = plan.dataset.first_sample(i);
    range.count = plan.dataset.samples_in(i);
    range.seed = seed;
    range.before_call = [&] { context.proceed(); };
    std::vector<ShardSample> samples;
    for (const auto& pair : generate_pairs(model, conditions, range)) {
      samples.push_back(to_shard_sample(pair, context.recipe, plan));
    }
    commit_shard(dataset, plan.dataset, i, samples);
  };
  work.lease_folder = dir / "leases";
  share_out(context, Phase::kGenerate, "generate " + label, "shards",
            std::move(work));
  run_together(context.comm, [&] {
    if (context.rank_zero()) finalize_dataset(dataset, plan.dataset);
  });
}

nlohmann::json dataset_outputs(const std::filesystem::path& dataset) {
  const ShardReader reader(dataset);
  std::map<std::string, int> reasons;
  int accepted = 0;
  for (std::int64_t i = 0; i < reader.size(); ++i) {
    const auto gate = reader.read(i).provenance.at("gate");
    if (gate.at("accepted").get<bool>()) {
      ++accepted;
    } else {
      ++reasons[gate.at("kind").get<std::string>()];
    }
  }
  return {{"dataset_hash", reader.manifest().dataset_hash},
          {"count", reader.size()},
          {"accepted", accepted},
          {"reasons", reasons}};
}

// The first pairs of both piles, for people to look at.
void write_contact_sheets(const std::filesystem::path& dir) {
  constexpr std::size_t kMost = 24;
  const ShardReader reader(dir / "dataset");
  std::vector<ContactTile> accepted, rejected;
  for (std::int64_t i = 0; i < reader.size(); ++i) {
    const ShardSample sample = reader.read(i);
    const auto& gate = sample.provenance.at("gate");
    auto& pile = gate.at("accepted").get<bool>() ? accepted : rejected;
    if (pile.size() == kMost) continue;
    ContactTile tile;
    tile.image = sample.image;
    tile.mask = sample.mask;
    tile.caption = sample.key + " " + gate.at("reason").get<std::string>();
    pile.push_back(std::move(tile));
  }
  const cv::Size size(192, 132);
  write_png(dir / "accepted.png", contact_sheet(accepted, 6, size));
  write_png(dir / "rejected.png", contact_sheet(rejected, 6, size));
}

}  // namespace

StageResult pretrain_generator(const RunContext& context,
                               const std::string& arm) {
  const Recipe& recipe = context.recipe;
  TrainConfig config = recipe.pretrain;
  config.dist = recipe.dist;
  config.seed = recipe.experiment.phantom_seed;
  const nlohmann::json inputs = {
      {"mode", arm},
      {"options", training_options(context, "pretrain")},
      {"phantoms", phantom_inputs(recipe.experiment)},
      {"machine", context.machine}};
  return context.stages.run(
      "pretrain-" + arm, inputs, [&](const std::filesystem::path& dir) {
        DiffusionModel model(config_of_arm(recipe, arm));
        model.unet().initialize(config.seed);
        return train_generator(context, model, phantom_examples(recipe), config,
                               sha256_hex(inputs.dump()), dir,
                               "pretrain " + arm);
      });
}

StageResult adapt_generator(const RunContext& context, const Study& study,
                            const ArmRun& run, const StageResult& pretrained) {
  const Recipe& recipe = context.recipe;
  TrainConfig config = recipe.adapt;
  config.dist = recipe.dist;
  config.seed = run.seed;
  const nlohmann::json inputs = {
      {"mode", run.arm},
      {"options", training_options(context, "adapt")},
      {"pretrained", pretrained.outputs.at("sha256")},
      {"real", study.subset_inputs(run.n_real, run.seed)},
      {"seed", run.seed},
      {"machine", context.machine}};
  return context.stages.run(
      "adapt-" + run.label(), inputs, [&](const std::filesystem::path& dir) {
        DiffusionModel model(config_of_arm(recipe, run.arm));
        load_weights(model, pretrained);
        return train_generator(
            context, model, real_examples(recipe, study, run), config,
            sha256_hex(inputs.dump()), dir, "adapt " + run.label());
      });
}

StageResult generate_dataset(const RunContext& context, const Study& study,
                             const ArmRun& run, const StageResult& adapted) {
  const Recipe& recipe = context.recipe;
  const nlohmann::json inputs = {
      {"mode", run.arm},
      {"options", context.options.results({"diffusion", "gate", "generate"})},
      {"weights", adapted.outputs.at("sha256")},
      {"real", study.subset_inputs(run.n_real, run.seed)},
      {"count", recipe.experiment.synthetic_count},
      {"seed", run.seed},
      {"machine", context.machine}};
  return context.stages.run(
      "generate-" + run.label(), inputs, [&](const std::filesystem::path& dir) {
        GenerationPlan plan;
        plan.diffusion = config_of_arm(recipe, run.arm);
        plan.dataset.count = recipe.experiment.synthetic_count;
        plan.dataset.samples_per_shard = recipe.generate.samples_per_shard;
        plan.dataset.config_hash = sha256_hex(inputs.dump());
        plan.dataset.weights_hash = adapted.outputs.at("sha256");
        plan.provenance = {
            {"generator", run.arm},
            {"seed", run.seed},
            {"weights", plan.dataset.weights_hash},
            {"config", plan.dataset.config_hash},
            {"sampler", plan.diffusion.sampler.kind},
            {"sampling_steps", plan.diffusion.sampler.num_steps}};
        DiffusionModel model(plan.diffusion);
        load_weights(model, adapted);
        const EllipsePrior prior = training_prior(study, run);
        GeneratorConditions conditions;
        conditions.outlines = &prior;
        conditions.class_ids = training_classes(recipe, study, run);
        generate_shards(context, model, conditions, plan, run.seed, dir,
                        run.label());
        run_together(context.comm, [&] {
          if (context.rank_zero()) write_contact_sheets(dir);
        });
        return dataset_outputs(dir / "dataset");
      });
}

SyntheticPairs::SyntheticPairs(const std::filesystem::path& dataset,
                               cv::Size native)
    : reader_(std::make_unique<ShardReader>(dataset)), native_(native) {
  for (std::int64_t i = 0; i < reader_->size(); ++i) {
    const auto gate = reader_->read(i).provenance.at("gate");
    if (gate.at("accepted").get<bool>()) accepted_.push_back(i);
  }
}
SyntheticPairs::~SyntheticPairs() = default;
SyntheticPairs::SyntheticPairs(SyntheticPairs&&) noexcept = default;

Sample SyntheticPairs::read(std::size_t index) const {
  const ShardSample shard = reader_->read(accepted_.at(index));
  Sample sample;
  sample.id = sample.exam = shard.key;
  cv::resize(shard.image, sample.image, native_, 0, 0, cv::INTER_CUBIC);
  cv::Mat smooth;
  cv::resize(shard.mask, smooth, native_, 0, 0, cv::INTER_LINEAR);
  sample.mask = smooth > 127;
  return sample;
}

}  // namespace sono
