#pragma once
// Images to the vectors that distances between sets of images are taken in. No
// space is neutral: LiteMedSAM's is the segmenter's own, and what pleases it
// there may please it alone; Inception's comes from photographs. So read two
// spaces or more side by side.

#include <ATen/ATen.h>

#include <filesystem>
#include <memory>
#include <opencv2/core.hpp>
#include <string>

#include "trainer/frozen_features.h"

namespace sono {

// One thread at a time.
class FeatureExtractor {
 public:
  virtual ~FeatureExtractor() = default;
  virtual std::string name() const = 0;
  // Changes whenever features of equal images may change.
  virtual std::string hash() const = 0;
  // CV_8UC1 [H, W] -> fp32 [D].
  virtual at::Tensor features(const cv::Mat& image) = 0;
};

// LiteMedSAM's encoder, averaged over the cells that show the image: 256.
// `features` must outlive it.
std::unique_ptr<FeatureExtractor> lite_medsam_extractor(
    FrozenFeatures& features, const std::string& weights_hash);

// No weights at all: 70 figures of grey values (16), local binary patterns at
// distances of 1, 2 and 4 px (30, Ojala et al. 2002) and the radial power
// spectrum (24). They tell speckle, blur and brightness, not anatomy.
std::unique_ptr<FeatureExtractor> texture_extractor();

// Inception v3 with the weights file that Frechet distances are published with
// (.pth or .safetensors): 2048. DataError naming the file.
std::unique_ptr<FeatureExtractor> inception_extractor(
    const std::filesystem::path& weights);

// Any network saved by torch.jit.save: fp32 [1, 3, H, W] in 0..1 in, [1, D]
// out. The file holds code and is run: take it only from people you trust.
// DataError naming the file when it does not load, run, or give a vector.
std::unique_ptr<FeatureExtractor> script_extractor(
    const std::filesystem::path& file);

// "texture", "inception:FILE" or "script:FILE"; ConfigError names `option`.
std::unique_ptr<FeatureExtractor> make_extractor(const std::string& option,
                                                 const std::string& text);

}  // namespace sono
