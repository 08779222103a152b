#pragma once
// The images and captions of a cohort as a latent diffusion model is to see
// them, before its encoders.

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "data/cohort.h"
#include "models/diffusion/mask_guidance.h"
#include "trainer/aspect_buckets.h"
#include "trainer/diffusion_augment.h"

namespace sono {

struct LatentImageConfig {
  // How the mask takes part (models/diffusion/mask_guidance.h). The three
  // colour channels are the image, with "joint" image, image and outline.
  std::string channels = "grey";
  // For images without a NAME.txt beside them or a caption.txt in their folder.
  // {label} is the folder's name, {trimester} first, second or third.
  std::string caption = "An ultrasound image of a fetal head.";
  int variants = 1;  // augmented versions of each image; 1: as it is
  AspectBucketConfig size{};
  DiffusionAugmentConfig augment{};

  // ConfigError naming "prefix.key".
  void validate(const std::string& prefix) const;
};

void describe(OptionTable& table, const std::string& prefix,
              LatentImageConfig& config);

// The caption of one image, as above. DataError naming the image.
std::string caption_of(const CohortEntry& entry, const std::string& fallback);

class LatentImages {
 public:
  // Those of `members`, indices of the cohort, in that order. Reads captions
  // and sizes now. `cohort` must outlive this. DataError naming the image that
  // has no mask (unless grey), no known trimester, or an empty caption file.
  LatentImages(const Cohort& cohort, std::vector<std::size_t> members,
               const LatentImageConfig& config, std::uint64_t seed);

  std::int64_t count() const {
    return static_cast<std::int64_t>(members_.size());
  }
  std::int64_t variants() const { return config_.variants; }
  MaskGuidance guidance() const { return guidance_; }
  cv::Size size(std::int64_t index) const;
  const std::string& caption(std::int64_t index) const;
  // fp32 [3, H, W] in [-1, 1]; version 0 is the image as it is.
  at::Tensor pixels(std::int64_t index, std::int64_t variant) const;
  // Its mask, fp32 [1, H, W], 0 or 1; zeros where data.channels = grey.
  at::Tensor mask(std::int64_t index, std::int64_t variant) const;

 private:
  DiffusionPair pair(std::int64_t index, std::int64_t variant) const;

  const Cohort& cohort_;
  std::vector<std::size_t> members_;
  LatentImageConfig config_;
  MaskGuidance guidance_;
  std::uint64_t seed_;
  std::vector<cv::Size> sizes_;
  std::vector<std::string> captions_;
};

}  // namespace sono
