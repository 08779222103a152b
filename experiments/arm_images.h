#pragma once
// The images that one run of an arm trains on: N real heads, with augmented
// variants where the arm has them, and synthetic heads where it has any.

#include <functional>
#include <optional>
#include <vector>

#include "data/sample.h"
#include "experiments/study.h"

namespace sono {

// Images are made or read when asked for, the same for every caller.
class ArmImages {
 public:
  using Source = std::function<Sample(std::size_t index)>;

  // `synthetic` gives images 0 .. synthetic_count - 1; unused when 0.
  ArmImages(const Study& study, const Recipe& recipe, const ArmRun& run,
            std::size_t synthetic_count, Source synthetic);

  std::size_t real_count() const { return subset_.size(); }
  // Variants of each real image; variant 0 is the image itself.
  int variants() const { return variants_; }
  std::size_t synthetic_count() const { return synthetic_count_; }
  Sample real(std::size_t index, int variant) const;
  std::size_t count() const { return real_count() + synthetic_count(); }
  Sample synthetic(std::size_t index) const { return synthetic_(index); }

 private:
  const Cohort& cohort_;
  std::string arm_;
  std::vector<std::size_t> subset_;
  int variants_;
  std::uint64_t seed_;
  std::size_t synthetic_count_;
  Source synthetic_;
};

// The synthetic images of arm oracle-res: real heads through the generator's
// resolution and back, what a perfect generator of that size would make.
class CoarseHeads {
 public:
  // Real images of ceiling_run(run). Study and recipe must outlive this.
  CoarseHeads(const Study& study, const Recipe& recipe, const ArmRun& run);

  std::size_t size() const { return subset_.size(); }
  Sample read(std::size_t index) const;

 private:
  const Cohort& cohort_;
  std::vector<std::size_t> subset_;
  cv::Size coarse_;
};

// Brings a pair of the generator's size to that of a real one: image by
// bicubic, mask by linear interpolation cut at one half.
Sample enlarged(const cv::Mat& image, const cv::Mat& mask, cv::Size native);

// Sets of phantoms that share nothing.
inline constexpr std::uint64_t kPretrainingPhantoms = 0;
inline constexpr std::uint64_t kArmPhantoms = 1;  // plus the run's seed

// Phantom `index` of a set, `size` px; styles are drawn in turn.
Sample phantom_sample(const ExperimentConfig& config, std::uint64_t set,
                      std::uint64_t index, cv::Size size = {800, 540});

// The config's styles; all of them when it names none.
const std::vector<std::string>& styles_of(const ExperimentConfig& config);

}  // namespace sono
