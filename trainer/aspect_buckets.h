#pragma once
// Training at more than one aspect ratio: each image goes to a size of about
// the same area that fits its shape, so that little of it is cut away (as
// kohya's trainer does; NovelAI 2022).

#include <cstdint>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "core/option.h"

namespace sono {

struct AspectBucketConfig {
  int resolution = 512;  // images have about resolution^2 px
  bool aspect = true;    // else all are resolution x resolution
  int step = 64;         // sides are multiples; itself a multiple of 8
  int min_side = 256;
  int max_side = 1024;
  bool no_upscale = false;  // small images get a size of their own

  // ConfigError naming "prefix.key".
  void validate(const std::string& prefix) const;
};

// Adds the options "prefix.resolution", ...
void describe(OptionTable& table, const std::string& prefix,
              AspectBucketConfig& config);

// All sizes that are offered, ascending; symmetric.
std::vector<cv::Size> bucket_sizes(const AspectBucketConfig& config);

// The size that an image of `native` size is trained at: the one nearest in
// aspect ratio, of two equally near the first. Sides of at least one step.
cv::Size choose_bucket(const AspectBucketConfig& config, cv::Size native);

// Resized to cover `bucket` and cut to it in the middle.
cv::Mat fit_to_bucket(const cv::Mat& image, cv::Size bucket);

}  // namespace sono
