#include "experiments/quality_stage.h"

#include <algorithm>
#include <functional>
#include <opencv2/imgproc.hpp>

#include "core/atomic_file.h"
#include "data/split.h"
#include "experiments/image_quality/image_quality.h"
#include "experiments/synthetic_dataset.h"

namespace sono {
namespace {

using nlohmann::json;

// Goes up when equal images would get other numbers.
constexpr int kQualityVersion = 1;

// Whose held-out heads the others are compared with.
const StudyCohort& first_training_cohort(const Study& study) {
  const auto& cohorts = study.cohorts();
  return *std::find_if(
      cohorts.begin(), cohorts.end(),
      [](const StudyCohort& cohort) { return !cohort.train.empty(); });
}

// Down to the generator's size and back, as a generated image comes.
cv::Mat through(const cv::Mat& image, cv::Size size) {
  cv::Mat small, back;
  cv::resize(image, small, size, 0, 0, cv::INTER_AREA);
  cv::resize(small, back, image.size(), 0, 0, cv::INTER_CUBIC);
  return back;
}

// One set of synthetic images and what its generator was trained on.
struct ImageSet {
  std::string label;
  std::vector<cv::Mat> images;
  std::vector<cv::Mat> training;  // empty for phantoms, which learn nothing
  json accepted, count;
};

class QualityStage {
 public:
  QualityStage(const RunContext& context, const Study& study,
               SharedSegmenter& shared)
      : context_(context),
        study_(study),
        shared_(shared),
        size_(context.recipe.diffusion.image_width,
              context.recipe.diffusion.image_height),
        limit_(static_cast<std::size_t>(
            context.recipe.experiment.quality_images)) {
    config_.memorization.size = size_;
    config_.before_image = [this] { context_.proceed(); };
    extractors_.push_back(lite_medsam_extractor(
        shared.features, shared.segmenter.weights_hash()));
    extractors_.push_back(texture_extractor());
  }

  void load_real() {
    run_together(context_.comm, [&] {
      const StudyCohort& training = first_training_cohort(study_);
      for (const std::size_t i : training.test) {
        if (real_.images.size() == limit_) break;
        const Sample sample = training.cohort->load(i);
        real_.images.push_back(through(sample.image, size_));
        real_.exams.push_back(split_group(sample));
      }
    });
    encode("real heads", real_.images);
    run_together(context_.comm, [&] {
      for (const auto& extractor : extractors_) {
        real_features_.push_back(
            features_of(real_.images, *extractor, config_));
      }
    });
  }

  ImageSet diffusion_set(const ArmRun& run, const StageResult& dataset) const {
    ImageSet set;
    set.label = run.label();
    set.accepted = dataset.outputs.at("accepted");
    set.count = dataset.outputs.at("count");
    for (const std::size_t i : study_.subset(run)) {
      set.training.push_back(study_.training(run).load(i).image);
    }
    const SyntheticPairs pairs(dataset.dir / "dataset", native_size());
    for (std::size_t i = 0; i < std::min(limit_, pairs.size()); ++i) {
      set.images.push_back(pairs.read(i).image);
    }
    return set;
  }

  ImageSet phantom_set() const {
    const ExperimentConfig& config = context_.recipe.experiment;
    ImageSet set;
    set.label = "phantom";
    const auto count =
        std::min(limit_, static_cast<std::size_t>(config.synthetic_count));
    for (std::size_t i = 0; i < count; ++i) {
      set.images.push_back(through(
          phantom_sample(config, kArmPhantoms + config.first_seed, i).image,
          size_));
    }
    return set;
  }

  // All ranks encode; the measures are made by each, and are the same.
  json judge(const ImageSet& set) {
    json row = {{"accepted", set.accepted},
                {"count", set.count},
                {"spaces", json::object()},
                {"copies", nullptr}};
    if (set.images.empty()) return row;
    encode(set.label, set.images);
    run_together(context_.comm, [&] { measure(set, row); });
    return row;
  }

 private:
  void measure(const ImageSet& set, json& row) {
    for (std::size_t k = 0; k < extractors_.size(); ++k) {
      const at::Tensor made = features_of(set.images, *extractors_[k], config_);
      row["spaces"][extractors_[k]->name()] = {
          {"synthetic",
           compare_sets(real_features_[k], real_.exams, made, config_)},
          {"halves", compare_halves(real_features_[k], real_.exams, config_)}};
    }
    if (!set.training.empty() && real_.images.size() > 1) {
      row["copies"] =
          describe_copies(search_copies(set.training, real_.images, set.images,
                                        config_.memorization),
                          set.training.size());
    }
  }
  void encode(const std::string& label, const std::vector<cv::Mat>& images) {
    shared_.encode(context_, "quality " + label, images.size(),
                   [&](std::size_t i) { return images[i]; });
  }
  cv::Size native_size() const {
    const StudyCohort& training = first_training_cohort(study_);
    return training.cohort->load(training.train.front()).image.size();
  }

  const RunContext& context_;
  const Study& study_;
  SharedSegmenter& shared_;
  cv::Size size_;
  std::size_t limit_;
  QualityConfig config_;
  Extractors extractors_;
  RealImages real_;
  std::vector<at::Tensor> real_features_;
};

json stage_inputs(const RunContext& context, const Study& study,
                  const std::vector<ArmRun>& runs,
                  const std::map<std::string, StageResult>& datasets,
                  const SharedSegmenter& shared) {
  json sets = json::object();
  for (const ArmRun& run : runs) {
    const auto found = datasets.find(run.label());
    if (found == datasets.end()) continue;
    sets[run.label()] = {{"dataset", found->second.outputs.at("dataset_hash")},
                         {"training", study.subset_inputs(run)}};
  }
  return {{"version", kQualityVersion},
          {"sets", sets},
          {"real", first_training_cohort(study).content_hash},
          {"weights", shared.segmenter.weights_hash()},
          {"options", context.options.results({"data", "experiment"})},
          {"size",
           {context.recipe.diffusion.image_width,
            context.recipe.diffusion.image_height}},
          {"machine", context.machine}};
}

// What the report needs, without a line for each image.
json without_images(json sets) {
  for (auto& [label, row] : sets.items()) {
    if (!row["copies"].is_null()) row["copies"].erase("nearest");
  }
  return sets;
}

}  // namespace

StageResult judge_quality(const RunContext& context, const Study& study,
                          const std::vector<ArmRun>& runs,
                          const std::map<std::string, StageResult>& datasets,
                          SharedSegmenter& shared) {
  const auto& arms = context.recipe.experiment.arms;
  const bool phantoms =
      std::find(arms.begin(), arms.end(), "phantom") != arms.end();
  if (context.recipe.experiment.quality_images == 0 ||
      (datasets.empty() && !phantoms)) {
    return {};
  }
  const auto work = [&](const std::filesystem::path& dir) {
    QualityStage stage(context, study, shared);
    stage.load_real();
    json sets = json::object();
    const auto judge = [&](const std::function<ImageSet()>& make) {
      ImageSet set;
      run_together(context.comm, [&] { set = make(); });
      sets[set.label] = stage.judge(set);
    };
    if (phantoms) judge([&] { return stage.phantom_set(); });
    for (const ArmRun& run : runs) {
      const auto found = datasets.find(run.label());
      if (found == datasets.end()) continue;
      judge([&] { return stage.diffusion_set(run, found->second); });
    }
    run_together(context.comm, [&] {
      if (context.rank_zero()) {
        write_file_atomic(dir / "quality.json", sets.dump(1) + "\n");
      }
    });
    return without_images(sets);
  };
  return context.stages.run(
      "quality", stage_inputs(context, study, runs, datasets, shared), work);
}

}  // namespace sono
