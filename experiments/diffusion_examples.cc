#include "experiments/diffusion_examples.h"

#include <ATen/ATen.h>

#include <memory>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "data/phantom/phantom.h"
#include "data/phantom/scanner.h"

namespace sono {
namespace {

// Phantoms are drawn at this size and then averaged down, as a real frame is.
constexpr int kPhantomWidth = 400;
constexpr int kPhantomHeight = 270;

DiffusionExample to_example(const Sample& sample, const DiffusionConfig& config,
                            std::int64_t class_id) {
  const cv::Size size(config.image_width, config.image_height);
  cv::Mat image, mask;
  cv::resize(sample.image, image, size, 0, 0, cv::INTER_AREA);
  cv::resize(sample.mask, mask, size, 0, 0, cv::INTER_AREA);
  image.convertTo(image, CV_32F, 1.0 / 127.5, -1.0);
  cv::Mat inside = mask > 127;
  inside.convertTo(mask, CV_32F, 1.0 / 255.0);
  const std::vector<std::int64_t> shape = {1, size.height, size.width};
  return {at::from_blob(image.data, shape, at::kFloat).clone(),
          at::from_blob(mask.data, shape, at::kFloat).clone(), class_id};
}

std::size_t real_domain(const ExperimentConfig& config) {
  return styles_of(config).size();
}

}  // namespace

int class_count(const ExperimentConfig& config) {
  return 4 * static_cast<int>(real_domain(config) + 1);
}

std::int64_t class_of(const Recipe& recipe, std::size_t domain, int trimester) {
  if (recipe.diffusion.num_classes == 0) return 0;
  return 1 + 4 * static_cast<std::int64_t>(domain) + trimester;
}

DiffusionExamples phantom_examples(const Recipe& recipe) {
  const ExperimentConfig& config = recipe.experiment;
  DiffusionExamples examples;
  examples.count = recipe.pretrain.steps * recipe.pretrain.batch_size;
  examples.get = [&recipe, &config](std::int64_t index, Random&) {
    const auto i = static_cast<std::uint64_t>(index);
    const Sample sample =
        phantom_sample(config, kPretrainingPhantoms, i,
                       cv::Size(kPhantomWidth, kPhantomHeight));
    return to_example(
        sample, recipe.diffusion,
        class_of(recipe, i % real_domain(config), sample.trimester));
  };
  return examples;
}

nlohmann::json phantom_inputs(const ExperimentConfig& config) {
  return {{"styles", styles_of(config)},
          {"seed", config.phantom_seed},
          {"version", kPhantomVersion}};
}

DiffusionExamples real_examples(const Recipe& recipe, const Study& study,
                                const ArmRun& run) {
  const Cohort& cohort = study.training(run);
  auto loaded = std::make_shared<std::vector<DiffusionExample>>();
  for (std::size_t i : study.subset(run)) {
    const Sample sample = cohort.load(i);
    loaded->push_back(to_example(
        sample, recipe.diffusion,
        class_of(recipe, real_domain(recipe.experiment), sample.trimester)));
  }
  DiffusionExamples examples;
  examples.count = static_cast<std::int64_t>(loaded->size());
  examples.get = [loaded](std::int64_t index, Random&) {
    return loaded->at(static_cast<std::size_t>(index));
  };
  return examples;
}

std::function<DiffusionExample(std::int64_t index)> phantom_starts(
    const Recipe& recipe, const Study& study, const ArmRun& run) {
  return [&recipe, classes = training_classes(recipe, study, run),
          set = kArmPhantoms + run.seed](std::int64_t index) {
    const auto i = static_cast<std::uint64_t>(index);
    return to_example(phantom_sample(recipe.experiment, set, i,
                                     cv::Size(kPhantomWidth, kPhantomHeight)),
                      recipe.diffusion, classes.at(i % classes.size()));
  };
}

EllipsePrior training_prior(const Study& study, const ArmRun& run) {
  const Cohort& cohort = study.training(run);
  std::vector<Ellipse> ellipses;
  cv::Size size;
  for (std::size_t i : study.subset(run)) {
    const Sample sample = cohort.load(i);
    const auto ellipse = fit_ellipse(sample.mask);
    if (!ellipse) {
      throw DataError("no ellipse fits the mask of " + sample.id +
                      " in cohort " + cohort.name());
    }
    // One frame for all: positions count relative to width and height.
    if (size.empty()) size = sample.mask.size();
    ellipses.push_back(scaled(*ellipse, double(size.width) / sample.mask.cols,
                              double(size.height) / sample.mask.rows));
  }
  return EllipsePrior(ellipses, size);
}

std::vector<std::int64_t> training_classes(const Recipe& recipe,
                                           const Study& study,
                                           const ArmRun& run) {
  std::vector<std::int64_t> classes;
  for (std::size_t i : study.subset(run)) {
    classes.push_back(class_of(recipe, real_domain(recipe.experiment),
                               study.training(run).info(i).trimester));
  }
  return classes;
}

}  // namespace sono
