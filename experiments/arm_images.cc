#include "experiments/arm_images.h"

#include "core/random.h"
#include "data/augment.h"
#include "data/phantom/phantom.h"
#include "data/phantom/scanner.h"

namespace sono {
namespace {

using Augmentation = Sample (*)(const Sample&, Random&);

// Null for arms that have none.
Augmentation augmentation_of(const std::string& arm) {
  if (arm == "us-aug") return us_augment;
  if (arm == "weak") return weak_augment;
  return arm == "strong" ? strong_augment : nullptr;
}

}  // namespace

std::string ArmRun::label() const {
  return arm + "-n" + std::to_string(n_real) + "-s" + std::to_string(seed);
}

ArmImages::ArmImages(const Study& study, const Recipe& recipe,
                     const ArmRun& run, std::size_t synthetic_count,
                     Source synthetic)
    : cohort_(*study.training().cohort),
      subset_(study.subset(run.n_real, run.seed)),
      arm_(run.arm),
      variants_(augmentation_of(run.arm) ? recipe.experiment.augmented_variants
                                         : 1),
      seed_(run.seed),
      synthetic_count_(synthetic_count),
      synthetic_(std::move(synthetic)) {}

Sample ArmImages::real(std::size_t index, int variant) const {
  Sample sample = cohort_.load(subset_.at(index));
  if (variant == 0) return sample;
  Random random(make_key("arm." + arm_ + "." + sample.id, seed_,
                         static_cast<std::uint64_t>(variant)));
  const Sample augmented = augmentation_of(arm_)(sample, random);
  // A head that was turned or warped out of the frame teaches nothing.
  return cv::countNonZero(augmented.mask) > 0 ? augmented : sample;
}

const std::vector<std::string>& styles_of(const ExperimentConfig& config) {
  return config.phantom_styles.empty() ? scanner_style_names()
                                       : config.phantom_styles;
}

Sample phantom_sample(const ExperimentConfig& config, std::uint64_t set,
                      std::uint64_t index, cv::Size size) {
  const auto& styles = styles_of(config);
  PhantomConfig phantom;
  phantom.style = styles[index % styles.size()];
  phantom.seed = make_key("experiment.phantom", config.phantom_seed, set).low;
  phantom.width = size.width;
  phantom.height = size.height;
  Phantom made = make_phantom(phantom, index);
  Sample sample;
  sample.id = "phantom-" + std::to_string(index);
  sample.exam = sample.id;
  sample.image = std::move(made.image);
  sample.mask = std::move(made.mask);
  sample.spacing_x_mm = sample.spacing_y_mm = made.pixel_size_mm;
  sample.hc_reference_mm = made.hc_mm;
  sample.trimester = made.trimester;
  return sample;
}

}  // namespace sono
