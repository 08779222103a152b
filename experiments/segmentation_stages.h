#pragma once
// The segmenter of a run, and the stage that tunes it for an arm.

#include "data/pack_cache.h"
#include "experiments/arm_images.h"
#include "experiments/run_context.h"
#include "trainer/frozen_features.h"
#include "trainer/segmenter.h"

namespace sono {

// The segmenter's weights file, from place.weights or the set-up's own copy.
// ConfigError naming the option when there is none, or when the recipe asks for
// a segmenter (experiment.segmenter) that the set-up does not bring.
std::filesystem::path find_weights(const PlaceConfig& place);
std::filesystem::path find_weights(const Recipe& recipe);

// LiteMedSAM with the embeddings that all stages of a run share.
class SharedSegmenter {
 public:
  // The published weights, see find_weights. ConfigError when they are not
  // those of the segmenter that the recipe asks for.
  SharedSegmenter(const Recipe& recipe, const std::filesystem::path& out);

  // Encodes the images that are not in the cache yet, shared out over the
  // ranks, by the published encoder. All ranks must call with equal images.
  void encode(const RunContext& context, const std::string& label,
              std::size_t count,
              const std::function<cv::Mat(std::size_t)>& image);

  Segmenter segmenter;
  PackCache cache;
  FrozenFeatures features;
};

// Updates of the segmenter on the run's images, as [segment] asks for: by
// default the same number for every arm, half gt-box and half frame prompts,
// and half of each batch synthetic where the arm has synthetic images.
// `synthetic_inputs` names where the synthetic images come from. Outputs:
// "weights" (file name in the stage's folder), "sha256". All ranks must call.
StageResult tune_segmenter(const RunContext& context, const Study& study,
                           const ArmRun& run, const ArmImages& images,
                           const nlohmann::json& synthetic_inputs,
                           SharedSegmenter& shared);

// The box detector of a run's real images (prompt `detector`), shared by its
// arms. Outputs as above. All ranks must call.
StageResult fit_detector(const RunContext& context, const Study& study,
                         const ArmRun& run, SharedSegmenter& shared);
// fp64 [C + 6], as fitted.
at::Tensor load_detector(const StageResult& stage);

}  // namespace sono
