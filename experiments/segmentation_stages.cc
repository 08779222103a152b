#include "experiments/segmentation_stages.h"

#include "core/error.h"
#include "core/hash.h"
#include "core/progress.h"
#include "data/mask.h"
#include "dist/recorder/flight_recorder.h"
#include "experiments/evaluation/detector.h"
#include "experiments/node_copy.h"
#include "models/io/safetensors.h"
#include "trainer/compute_device.h"
#include "trainer/segmentation_task.h"

namespace sono {
namespace {

constexpr char kDecoderFile[] = "decoder.safetensors";
constexpr char kTunedFile[] = "tuned.safetensors";

PackCacheConfig cache_config(const PlaceConfig& place) {
  PackCacheConfig config;
  config.max_mib = static_cast<std::int64_t>(place.cache_gb * 1024);
  return config;
}

// An image of a pool without its embedding: some 0.7 MB.
struct PreparedImage {
  cv::Mat image;
  at::Tensor target;
  Box box;
  Box whole;
};

// `boxed` is the mask that the box is drawn around.
PreparedImage prepare(const Segmenter& segmenter, const Sample& sample,
                      const cv::Mat& boxed) {
  const SamFrame frame = segmenter.frame(sample.image.size());
  return {sample.image,
          frame_target(sample.mask, frame.side_px, segmenter.frame_fit()),
          frame.from_native(tight_box(boxed)), frame.whole()};
}

struct PreparedPools {
  std::vector<PreparedImage> real;  // image by image, variants within
  std::vector<PreparedImage> synthetic;
};

PreparedPools prepare_pools(const Segmenter& segmenter, const ArmImages& images,
                            const TuneConfig& config) {
  PreparedPools pools;
  for (std::size_t i = 0; i < images.real_count(); ++i) {
    const Sample original = images.real(i, 0);
    for (int v = 0; v < images.variants(); ++v) {
      const Sample sample = v == 0 ? original : images.real(i, v);
      const bool before = config.augmented_box == "before";
      pools.real.push_back(
          prepare(segmenter, sample, before ? original.mask : sample.mask));
    }
  }
  for (std::size_t i = 0; i < images.synthetic_count(); ++i) {
    const Sample sample = images.synthetic(i);
    pools.synthetic.push_back(prepare(segmenter, sample, sample.mask));
  }
  return pools;
}

// With cached embeddings while the encoder is frozen, else with its input.
TrainingPool training_pool(const std::vector<PreparedImage>& prepared,
                           std::int64_t variants, SharedSegmenter& shared) {
  TrainingPool pool;
  pool.count = static_cast<std::int64_t>(prepared.size()) / variants;
  pool.variants = variants;
  pool.get = [&prepared, &shared, variants](std::int64_t index,
                                            std::int64_t variant) {
    const PreparedImage& image =
        prepared.at(static_cast<std::size_t>(index * variants + variant));
    TrainingView view{at::Tensor(), image.target, image.box, image.whole};
    if (shared.segmenter.tuned_parts() == TunedParts::kDecoder) {
      view.embedding = shared.features.embedding(image.image);
    } else {
      view.input = shared.segmenter.input(image.image);
    }
    return view;
  };
  return pool;
}

SegmentationTaskConfig task_config_of(const Recipe& recipe,
                                      std::uint64_t seed) {
  SegmentationTaskConfig config;
  config.parts = tuned_parts(recipe.tune);
  config.batch_size = recipe.segment.batch_size;
  config.seed = seed;
  config.max_jitter_px = recipe.tune.jitter_px;
  config.one_set = recipe.tune.mix == "union";
  if (recipe.tune.train_prompt == "gt-box") config.whole_frame_share = 0;
  if (recipe.tune.train_prompt == "frame") config.whole_frame_share = 1;
  return config;
}

// Rank 0 saves what the training made; all go back to the published weights.
nlohmann::json save_tuned(const RunContext& context, SharedSegmenter& shared,
                          const std::filesystem::path& dir) {
  const bool decoder = shared.segmenter.tuned_parts() == TunedParts::kDecoder;
  const char* file = decoder ? kDecoderFile : kTunedFile;
  run_together(context.comm, [&] {
    if (!context.rank_zero()) return;
    save_safetensors(dir / file, shared.segmenter.tuned_state());
  });
  shared.segmenter.use_published();
  return {{"weights", file}, {"sha256", sha256_file(dir / file)}};
}

nlohmann::json tune(const RunContext& context, const ArmRun& run,
                    const ArmImages& images, SharedSegmenter& shared,
                    const std::string& stage_hash,
                    const std::filesystem::path& dir) {
  const PreparedPools pools =
      prepare_pools(shared.segmenter, images, context.recipe.tune);
  if (shared.segmenter.tuned_parts() == TunedParts::kDecoder) {
    shared.encode(
        context, run.label(), pools.real.size() + pools.synthetic.size(),
        [&](std::size_t i) {
          const std::size_t n = pools.real.size();
          return i < n ? pools.real[i].image : pools.synthetic[i - n].image;
        });
  }
  TrainConfig config = context.recipe.segment;
  config.dist = context.recipe.dist;
  config.seed = run.seed;
  config.steps = tuning_steps(context.recipe, images.count());
  shared.segmenter.begin_tuning(run.seed);
  SegmentationTask task(shared.segmenter.model(),
                        training_pool(pools.real, images.variants(), shared),
                        training_pool(pools.synthetic, 1, shared),
                        task_config_of(context.recipe, run.seed),
                        shared.segmenter.lora());
  const TrainResult result =
      train(context.comm, task, config, stage_hash, dir / "checkpoints",
            context.stop, &context.log, "tune " + run.label(),
            telemetry_of(context, "tune " + run.label()));
  nlohmann::json outputs = save_tuned(context, shared, dir);
  outputs["loss"] = result.loss;
  outputs["synthetic"] = images.synthetic_count();
  return outputs;
}

}  // namespace

// The set-up puts the weights into .deps/ at the project's root, two folders
// above the program (build/release/sonoforge).
std::filesystem::path find_weights(const PlaceConfig& place) {
  if (!place.weights.empty()) {
    if (std::filesystem::exists(place.weights)) return place.weights;
    throw ConfigError("option place.weights = " + place.weights +
                      ": no such file or folder");
  }
  const std::filesystem::path relative = ".deps/weights/lite_medsam.pth";
  std::error_code code;
  auto folder = std::filesystem::read_symlink("/proc/self/exe", code);
  while (!code && folder.has_relative_path()) {
    folder = folder.parent_path();
    if (std::filesystem::exists(folder / relative)) return folder / relative;
  }
  if (std::filesystem::exists(relative)) return relative;
  throw ConfigError(
      "no LiteMedSAM weights found: run launch/setup, or give the "
      "file with --set place.weights=FILE");
}

std::filesystem::path find_weights(const Recipe& recipe) {
  const std::string& wanted = recipe.experiment.segmenter;
  if (recipe.place.weights.empty() && wanted != "any" &&
      wanted != "lite_medsam") {
    throw ConfigError("option place.weights is not set: the recipe wants SAM " +
                      wanted +
                      ", whose weights you give with --set "
                      "place.weights=FILE");
  }
  return find_weights(recipe.place);
}

namespace {

std::string name_of(const SamConfig& config) {
  if (!config.is_vit()) return "lite_medsam";
  const std::int64_t width = std::get<VitConfig>(config.encoder).width;
  if (width == 768) return "vit_b";
  if (width == 1024) return "vit_l";
  return width == 1280 ? "vit_h" : "vit of width " + std::to_string(width);
}

void check_segmenter(const Recipe& recipe, const SamConfig& config) {
  const std::string& wanted = recipe.experiment.segmenter;
  const std::string found = name_of(config);
  if (wanted == "any" || wanted == found) return;
  throw ConfigError("option experiment.segmenter = " + wanted +
                    ": the weights are those of " + found +
                    "; give others with --set place.weights=FILE");
}

}  // namespace

SharedSegmenter::SharedSegmenter(const Recipe& recipe,
                                 const std::filesystem::path& out)
    : segmenter(
          Segmenter::load(staged_weights(recipe.place, find_weights(recipe)))),
      cache(recipe.place.cache.empty()
                ? out / "cache"
                : std::filesystem::path(recipe.place.cache),
            cache_config(recipe.place)),
      features(segmenter, &cache) {
  check_segmenter(recipe, segmenter.model().config());
  segmenter.set_frame_fit(frame_fit(recipe.tune.frame));
  segmenter.move_to(compute_device());
  segmenter.set_tuned_parts(tuned_parts(recipe.tune), recipe.tune.lora);
}

void SharedSegmenter::encode(const RunContext& context,
                             const std::string& label, std::size_t count,
                             const std::function<cv::Mat(std::size_t)>& image) {
  segmenter.use_published();
  const auto rank = static_cast<std::size_t>(context.comm.rank());
  const auto world = static_cast<std::size_t>(context.comm.world_size());
  const PhaseMark mark(context.comm.recorder(), Phase::kEncode);
  Progress progress("encode " + label, static_cast<std::int64_t>(count),
                    "images", context.rank_zero());
  run_together(context.comm, [&] {
    for (std::size_t i = rank; i < count; i += world) {
      context.proceed();
      progress.update(static_cast<std::int64_t>(i));
      features.embedding(image(i));
    }
    cache.flush();
  });
  cache.refresh();
  progress.finish();
}

StageResult tune_segmenter(const RunContext& context, const Study& study,
                           const ArmRun& run, const ArmImages& images,
                           const nlohmann::json& synthetic_inputs,
                           SharedSegmenter& shared) {
  const nlohmann::json inputs = {
      {"arm", run.arm},
      {"options", context.options.results({"dist", "segment", "segment_lora"})},
      {"weights", shared.segmenter.weights_hash()},
      {"real", study.subset_inputs(run)},
      {"variants", images.variants()},
      {"synthetic", synthetic_inputs},
      {"synthetic_count", images.synthetic_count()},
      {"seed", run.seed},
      {"machine", context.machine}};
  return context.stages.run("tune-" + run.label(), inputs,
                            [&](const std::filesystem::path& dir) {
                              return tune(context, run, images, shared,
                                          sha256_hex(inputs.dump()), dir);
                            });
}

namespace {

constexpr char kDetectorFile[] = "detector.safetensors";

nlohmann::json fit_and_save(const RunContext& context, const Study& study,
                            const ArmRun& run, SharedSegmenter& shared,
                            const std::filesystem::path& dir) {
  const Cohort& cohort = study.training(run);
  const auto subset = study.subset(run);
  shared.encode(context, "detector-" + run.label(), subset.size(),
                [&](std::size_t i) { return cohort.load(subset[i]).image; });
  run_together(context.comm, [&] {
    if (!context.rank_zero()) return;
    BoxDetectorFit fit;
    for (std::size_t i : subset) {
      context.proceed();
      const Sample sample = cohort.load(i);
      const SamFrame frame = shared.segmenter.frame(sample.image.size());
      fit.add(shared.features.embedding(sample.image),
              frame_target(sample.mask, frame.side_px,
                           shared.segmenter.frame_fit()),
              frame.whole());
    }
    save_safetensors(dir / kDetectorFile, {{"detector.weight", fit.solve()}});
  });
  return {{"weights", kDetectorFile},
          {"sha256", sha256_file(dir / kDetectorFile)}};
}

}  // namespace

StageResult fit_detector(const RunContext& context, const Study& study,
                         const ArmRun& run, SharedSegmenter& shared) {
  ArmRun named = run;
  named.arm = "detector";
  const nlohmann::json inputs = {{"weights", shared.segmenter.weights_hash()},
                                 {"real", study.subset_inputs(run)},
                                 {"frame", context.recipe.tune.frame},
                                 {"machine", context.machine}};
  return context.stages.run(
      named.label(), inputs, [&](const std::filesystem::path& dir) {
        return fit_and_save(context, study, run, shared, dir);
      });
}

at::Tensor load_detector(const StageResult& stage) {
  const auto file = stage.dir / stage.outputs.at("weights").get<std::string>();
  return load_safetensors(file).at("detector.weight");
}

}  // namespace sono
