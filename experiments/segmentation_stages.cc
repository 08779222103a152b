#include "experiments/segmentation_stages.h"

#include "core/error.h"
#include "core/hash.h"
#include "core/progress.h"
#include "data/mask.h"
#include "dist/recorder/flight_recorder.h"
#include "models/io/safetensors.h"
#include "trainer/segmentation_task.h"

namespace sono {
namespace {

constexpr char kDecoderFile[] = "decoder.safetensors";

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

// The prompt is the tight box of `boxed`.
PreparedImage prepare(const Sample& sample, const cv::Mat& boxed) {
  const SamFrame frame(sample.image.size());
  return {sample.image, frame_target(sample.mask),
          frame.from_native(tight_box(boxed)), frame.whole()};
}

struct PreparedPools {
  std::vector<PreparedImage> real;  // image by image, variants within
  std::vector<PreparedImage> synthetic;
};

PreparedPools prepare_pools(const ArmImages& images, bool box_before) {
  PreparedPools pools;
  for (std::size_t i = 0; i < images.real_count(); ++i) {
    const Sample original = images.real(i, 0);
    pools.real.push_back(prepare(original, original.mask));
    for (int v = 1; v < images.variants(); ++v) {
      const Sample variant = images.real(i, v);
      pools.real.push_back(
          prepare(variant, box_before ? original.mask : variant.mask));
    }
  }
  for (std::size_t i = 0; i < images.synthetic_count(); ++i) {
    const Sample synthetic = images.synthetic(i);
    pools.synthetic.push_back(prepare(synthetic, synthetic.mask));
  }
  return pools;
}

TrainingPool training_pool(const std::vector<PreparedImage>& prepared,
                           std::int64_t variants, FrozenFeatures& features) {
  TrainingPool pool;
  pool.count = static_cast<std::int64_t>(prepared.size()) / variants;
  pool.variants = variants;
  pool.get = [&prepared, &features, variants](std::int64_t index,
                                              std::int64_t variant) {
    const PreparedImage& image =
        prepared.at(static_cast<std::size_t>(index * variants + variant));
    return TrainingView{features.embedding(image.image), image.target,
                        image.box, image.whole};
  };
  return pool;
}

nlohmann::json tune(const RunContext& context, const ArmRun& run,
                    const ArmImages& images, SharedSegmenter& shared,
                    const std::string& stage_hash,
                    const std::filesystem::path& dir) {
  const PreparedPools pools = prepare_pools(
      images, context.recipe.experiment.augmented_box == "before");
  shared.encode(context, run.label(),
                pools.real.size() + pools.synthetic.size(), [&](std::size_t i) {
                  const std::size_t n = pools.real.size();
                  return i < n ? pools.real[i].image
                               : pools.synthetic[i - n].image;
                });
  shared.segmenter.reset_decoder();
  TrainConfig config = context.recipe.segment;
  config.dist = context.recipe.dist;
  config.seed = run.seed;
  SegmentationTaskConfig task_config;
  task_config.batch_size = config.batch_size;
  task_config.seed = run.seed;
  SegmentationTask task(
      shared.segmenter.model(),
      training_pool(pools.real, images.variants(), shared.features),
      training_pool(pools.synthetic, 1, shared.features), task_config);
  const TrainResult result =
      train(context.comm, task, config, stage_hash, dir / "checkpoints",
            context.stop, &context.log, "tune " + run.label());
  run_together(context.comm, [&] {
    if (!context.rank_zero()) return;
    save_safetensors(dir / kDecoderFile, shared.segmenter.decoder_state());
  });
  return {{"weights", kDecoderFile},
          {"sha256", sha256_file(dir / kDecoderFile)},
          {"loss", result.loss},
          {"synthetic", images.synthetic_count()}};
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

SharedSegmenter::SharedSegmenter(const PlaceConfig& place,
                                 const std::filesystem::path& out)
    : segmenter(Segmenter::load(find_weights(place))),
      cache(place.cache.empty() ? out / "cache"
                                : std::filesystem::path(place.cache),
            cache_config(place)),
      features(segmenter, &cache) {}

void SharedSegmenter::encode(const RunContext& context,
                             const std::string& label, std::size_t count,
                             const std::function<cv::Mat(std::size_t)>& image) {
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
  nlohmann::json inputs = {
      {"arm", run.arm},
      {"options", context.options.results({"dist", "segment"})},
      {"weights", shared.segmenter.weights_hash()},
      {"real", study.subset_inputs(run.n_real, run.seed)},
      {"variants", images.variants()},
      {"synthetic", synthetic_inputs},
      {"synthetic_count", images.synthetic_count()},
      {"seed", run.seed},
      {"machine", context.machine}};
  const std::string& box = context.recipe.experiment.augmented_box;
  if (images.variants() > 1 && box != "after") inputs["box"] = box;
  return context.stages.run("tune-" + run.label(), inputs,
                            [&](const std::filesystem::path& dir) {
                              return tune(context, run, images, shared,
                                          sha256_hex(inputs.dump()), dir);
                            });
}

}  // namespace sono
