#include "experiments/arm_images.h"

#include <opencv2/imgproc.hpp>

#include "core/random.h"
#include "data/augment.h"
#include "data/phantom/phantom.h"
#include "data/phantom/scanner.h"

namespace sono {
ArmImages::ArmImages(const Study& study, const Recipe& recipe,
                     const ArmRun& run, std::size_t synthetic_count,
                     Source synthetic)
    : cohort_(study.training(run)),
      arm_(run.arm),
      subset_(study.subset(run)),
      variants_(is_augmentation_arm(run.arm)
                    ? recipe.experiment.augmented_variants
                    : 1),
      seed_(run.seed),
      synthetic_count_(synthetic_count),
      synthetic_(std::move(synthetic)) {}

Sample ArmImages::real(std::size_t index, int variant) const {
  Sample sample = cohort_.load(subset_.at(index));
  if (variant == 0) return sample;
  Random random(make_key("arm." + arm_ + "." + sample.id, seed_,
                         static_cast<std::uint64_t>(variant)));
  Sample augmented;
  if (arm_ == "weak") {
    augmented = weak_augment(sample, random);
  } else if (arm_ == "strong") {
    augmented = strong_augment(sample, random);
  } else {
    augmented = us_augment(sample, random);
  }
  // A head that was turned or warped out of the frame teaches nothing.
  return cv::countNonZero(augmented.mask) > 0 ? augmented : sample;
}

CoarseHeads::CoarseHeads(const Study& study, const Recipe& recipe,
                         const ArmRun& run)
    : cohort_(study.training(run)),
      subset_(study.subset(ceiling_run(recipe, run))),
      coarse_(recipe.diffusion.image_width, recipe.diffusion.image_height) {}

// Down as a generator's training images go, up as its pairs do.
Sample CoarseHeads::read(std::size_t index) const {
  const Sample real = cohort_.load(subset_.at(index));
  cv::Mat image, mask;
  cv::resize(real.image, image, coarse_, 0, 0, cv::INTER_AREA);
  cv::resize(real.mask, mask, coarse_, 0, 0, cv::INTER_AREA);
  Sample coarse = enlarged(image, mask > 127, real.image.size());
  coarse.id = real.id + "-coarse";
  coarse.exam = real.exam;
  return coarse;
}

Sample enlarged(const cv::Mat& image, const cv::Mat& mask, cv::Size native) {
  Sample sample;
  cv::resize(image, sample.image, native, 0, 0, cv::INTER_CUBIC);
  cv::Mat smooth;
  cv::resize(mask, smooth, native, 0, 0, cv::INTER_LINEAR);
  sample.mask = smooth > 127;
  return sample;
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
