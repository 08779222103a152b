#pragma once
// Does a generator copy its training images? Each synthetic image's nearest
// training image is compared with the nearest one of real heads that the
// generator never saw: a generator that learnt what heads look like comes no
// nearer to its training images than another head does.
//
// Likeness is the correlation of the grey values at the generator's size, the
// best over flips, turns and zooms of the training image, since training showed
// it those. Distance = sqrt(2 - 2 correlation), 0 for a copy.

#include <ATen/ATen.h>

#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace sono {

struct MemorizationConfig {
  cv::Size size{128, 88};  // px; images of other sizes are brought to it
  std::vector<double> turns_deg{-20, -10, 0, 10, 20};
  std::vector<double> zooms{0.9, 1.0, 1.1};
  bool flip = true;  // also mirrored left to right
  // A sample is flagged below these quantiles of the held-out images' nearest
  // distances, and of their ratios of nearest to second nearest distance.
  double distance_quantile = 0.01;
  double ratio_quantile = 0.05;

  void validate() const;  // ConfigError naming the option
};

// Grey images CV_8UC1 of any size. Brought to `size` by area interpolation.
class TrainingBank {
 public:
  // DataError when there are no images.
  TrainingBank(const std::vector<cv::Mat>& images,
               const MemorizationConfig& config);

  struct Nearest {
    double distance = 0;
    double second = 0;       // of another training image; 0 with only one
    std::int64_t image = 0;  // index of the nearest
    // Nearest over second; 1 where there is no second.
    double ratio() const { return second > 0 ? distance / second : 1; }
  };
  std::vector<Nearest> nearest(const std::vector<cv::Mat>& images) const;

 private:
  MemorizationConfig config_;
  std::int64_t num_images_;
  at::Tensor views_;  // fp32 [images * views, H * W], centred, of length 1
};

// Says of single images whether they copy a training image.
class CopyDetector {
 public:
  // The limits come from the held-out images. DataError unless there are two of
  // them and one training image.
  CopyDetector(const std::vector<cv::Mat>& training,
               const std::vector<cv::Mat>& heldout,
               const MemorizationConfig& config);

  std::vector<TrainingBank::Nearest> nearest(
      const std::vector<cv::Mat>& images) const {
    return bank_.nearest(images);
  }
  bool is_copy(const TrainingBank::Nearest& found) const;
  double distance_limit() const { return distance_limit_; }
  double ratio_limit() const { return ratio_limit_; }
  // Of the held-out images.
  const std::vector<TrainingBank::Nearest>& reference() const {
    return reference_;
  }

 private:
  bool alone_;  // one training image: there is no second nearest
  TrainingBank bank_;
  std::vector<TrainingBank::Nearest> reference_;
  double distance_limit_ = 0;
  double ratio_limit_ = 0;
};

struct MemorizationReport {
  std::vector<TrainingBank::Nearest> synthetic;  // one a synthetic image
  std::vector<bool> flagged;                     // likewise
  int num_heldout = 0;
  double distance_limit = 0;
  double ratio_limit = 0;
  double flagged_fraction = 0;
  // Median nearest distance of synthetic over that of held-out images: well
  // below 1 is suspicious.
  double median_ratio = 0;
  // Probability that a synthetic image is nearer to the training images than a
  // held-out one: 0.5 when they are alike, 1 for a copier.
  double nearer_probability = 0;
};

// DataError unless there are 2 held-out images and 1 synthetic one at least.
MemorizationReport search_copies(const std::vector<cv::Mat>& training,
                                 const std::vector<cv::Mat>& heldout,
                                 const std::vector<cv::Mat>& synthetic,
                                 const MemorizationConfig& config = {});

}  // namespace sono
