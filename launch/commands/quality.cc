// `sonoforge quality`: how far synthetic images are from real ones, and whether
// they are copies of training images.

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <opencv2/imgproc.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/progress.h"
#include "data/loader/loader.h"
#include "data/split.h"
#include "experiments/image_quality/image_quality.h"
#include "experiments/segmentation_stages.h"
#include "launch/commands/commands.h"
#include "launch/options/command_line.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

struct QualityRequest {
  std::string real, synthetic, training, out, weights;
  std::vector<std::string> spaces;
  int width = 128, height = 88;
  int limit = 0;
  int threads = 1;
  bool no_sam = false;
  QualityConfig config;

  void validate() {
    for (const auto& [flag, value] :
         {std::pair("--real", &real), std::pair("--synthetic", &synthetic)}) {
      if (value->empty()) {
        throw ConfigError(std::string(flag) +
                          " DIR is missing: the folder of these images");
      }
    }
    check_range("--width", width, 16, 4096);
    check_range("--height", height, 16, 4096);
    check_range("--limit", limit, 0, 1e6);
    check_range("--threads", threads, 1, 1024);
    config.memorization.size = {width, height};
    config.validate();
  }
};

RealImages load_cohort(const std::string& name, const std::string& dir,
                       int limit) {
  const Cohort cohort = open_cohort(name, dir);
  RealImages images;
  for (std::size_t i = 0; i < cohort.size(); ++i) {
    if (limit > 0 && images.images.size() == static_cast<std::size_t>(limit)) {
      break;
    }
    const Sample sample = cohort.load(i);
    images.images.push_back(sample.image);
    images.exams.push_back(split_group(sample));
  }
  return images;
}

// A data set of shards (its accepted pairs), or a folder of images.
std::vector<cv::Mat> load_synthetic(const std::string& dir, int limit) {
  if (!fs::exists(fs::path(dir) / "plan.json")) {
    return load_cohort("synthetic", dir, limit).images;
  }
  LoaderConfig config;
  config.shuffle = Shuffle::kNone;
  config.accepted_only = true;
  SampleLoader loader(dir, config);
  std::vector<cv::Mat> images;
  while (limit == 0 || images.size() < static_cast<std::size_t>(limit)) {
    auto pair = loader.next();
    if (!pair) break;
    images.push_back(std::move(pair->image));
  }
  if (images.empty()) {
    throw DataError(dir + ": the quality gate accepted no pair of this set");
  }
  return images;
}

// Both sides lose the same: what the generator's size cannot show.
void bring_to_size(std::vector<cv::Mat>& images, cv::Size size) {
  for (cv::Mat& image : images) {
    if (image.size() == size) continue;
    cv::Mat small;
    cv::resize(image, small, size, 0, 0, cv::INTER_AREA);
    image = small;
  }
}

nlohmann::json measure(const QualityRequest& request, const RealImages& real,
                       const std::vector<cv::Mat>& synthetic,
                       FeatureExtractor& extractor) {
  Progress progress(
      "features " + extractor.name(),
      static_cast<std::int64_t>(real.images.size() + synthetic.size()),
      "images");
  QualityConfig config = request.config;
  std::int64_t done = 0;
  config.before_image = [&] { progress.update(done++); };
  const at::Tensor a = features_of(real.images, extractor, config);
  const at::Tensor b = features_of(synthetic, extractor, config);
  progress.finish();
  return {{"extractor", extractor.hash()},
          {"synthetic", compare_sets(a, real.exams, b, config)},
          {"halves", compare_halves(a, real.exams, config)}};
}

nlohmann::json find_copies(const QualityRequest& request,
                           const RealImages& real,
                           const std::vector<cv::Mat>& synthetic) {
  if (request.training.empty()) return nullptr;
  const RealImages training = load_cohort("train", request.training, 0);
  return describe_copies(search_copies(training.images, real.images, synthetic,
                                       request.config.memorization),
                         training.images.size());
}

nlohmann::json judge(QualityRequest& request) {
  RealImages real = load_cohort("real", request.real, request.limit);
  std::vector<cv::Mat> synthetic =
      load_synthetic(request.synthetic, request.limit);
  const cv::Size size(request.width, request.height);
  bring_to_size(real.images, size);
  bring_to_size(synthetic, size);
  nlohmann::json spaces = nlohmann::json::object();
  const auto add = [&](FeatureExtractor& extractor) {
    spaces[extractor.name()] = measure(request, real, synthetic, extractor);
  };
  for (const std::string& space : request.spaces) {
    add(*make_extractor("--space", space));
  }
  if (!request.no_sam) {
    PlaceConfig place;
    place.weights = request.weights;
    const Segmenter segmenter = Segmenter::load(find_weights(place));
    FrozenFeatures features(segmenter, nullptr, 0);
    add(*lite_medsam_extractor(features, segmenter.weights_hash()));
  }
  return {{"spaces", spaces},
          {"copies", find_copies(request, real, synthetic)},
          {"size", {request.width, request.height}}};
}

void add_flags(CommandLine& line, QualityRequest& request) {
  line.flag("real", &request.real, "DIR",
            "real images that the generator never saw: a cohort or a folder");
  line.flag("synthetic", &request.synthetic, "DIR",
            "synthetic images: a data set of shards, or a folder");
  line.flag("train", &request.training, "DIR",
            "the generator's training images, to search for copies of them");
  line.flag("space", &request.spaces, "SPACE",
            "feature space beside lite-medsam, repeatable: texture (the "
            "default), inception:FILE, script:FILE (runs the file's code)");
  line.flag("weights", &request.weights, "FILE", "LiteMedSAM weights");
  line.flag("no-sam", &request.no_sam, "", "leave LiteMedSAM's space out");
  line.flag("width", &request.width, "PX", "size that all images go through");
  line.flag("height", &request.height, "PX", "likewise");
  line.flag("limit", &request.limit, "N", "images of each set at most, 0 all");
  line.flag("subsets", &request.config.subsets, "N",
            "subsets of the usual KID, beside the whole sets");
  line.flag("subset-size", &request.config.subset_size, "N",
            "images in each, half of the smaller set at most");
  line.flag("seed", &request.config.seed, "S", "of subsets and halves");
  line.flag("fid-with-few", &request.config.fid_with_few, "",
            "FID also where it measures the number of images");
  line.flag("threads", &request.threads, "N", "threads; other bits than one");
  line.flag("out", &request.out, "DIR", "folder for quality.json");
}

}  // namespace

int quality_command(const Arguments& args) {
  QualityRequest request;
  CommandLine line(
      "quality --real DIR --synthetic DIR [--train DIR] [--out DIR]",
      "Measures how far synthetic images are from real ones in two feature "
      "spaces or more, and\nsearches for copies of the training images.");
  add_flags(line, request);
  if (!line.parse(args)) return 0;
  request.validate();
  if (request.spaces.empty()) request.spaces.push_back("texture");
  at::set_num_threads(request.threads);
  const nlohmann::json result = judge(request);
  std::printf("%s\n", quality_text(result["spaces"], result["copies"]).c_str());
  for (const std::string& caution : quality_cautions()) {
    std::printf("%s\n", caution.c_str());
  }
  if (!request.out.empty()) {
    make_directories(request.out);
    write_file_atomic(fs::path(request.out) / "quality.json",
                      result.dump(1) + "\n");
  }
  return 0;
}

}  // namespace sono
