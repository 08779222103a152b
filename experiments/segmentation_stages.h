#pragma once
// The segmenter of a run, and the stage that tunes its mask decoder for an arm.

#include "data/pack_cache.h"
#include "experiments/arm_images.h"
#include "experiments/run_context.h"
#include "trainer/frozen_features.h"
#include "trainer/segmenter.h"

namespace sono {

// The published LiteMedSAM weights: place.weights, or the set-up's own copy.
// ConfigError naming the option when there are none.
std::filesystem::path find_weights(const PlaceConfig& place);

// LiteMedSAM with the embeddings that all stages of a run share.
class SharedSegmenter {
 public:
  // The published weights, from place.weights or the set-up's own copy.
  // ConfigError naming the option when there are none.
  SharedSegmenter(const PlaceConfig& place, const std::filesystem::path& out);

  // Encodes the images that are not in the cache yet, shared out over the
  // ranks. All ranks must call with equal images.
  void encode(const RunContext& context, const std::string& label,
              std::size_t count,
              const std::function<cv::Mat(std::size_t)>& image);

  Segmenter segmenter;
  PackCache cache;
  FrozenFeatures features;
};

// segment.steps updates of the decoder on half gt-box, half frame prompts; half
// of each batch is synthetic where the arm has synthetic images. Every arm does
// equal work. `synthetic_inputs` names where the synthetic images come from.
// Outputs: "weights" (file name in the stage's folder), "sha256". All ranks
// must call.
StageResult tune_segmenter(const RunContext& context, const Study& study,
                           const ArmRun& run, const ArmImages& images,
                           const nlohmann::json& synthetic_inputs,
                           SharedSegmenter& shared);

}  // namespace sono
