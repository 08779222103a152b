#pragma once
// One prediction: a candidate's answer to one prompt on one image.

#include <optional>

#include "data/sample.h"
#include "experiments/evaluation/candidate.h"
#include "trainer/frozen_features.h"
#include "trainer/segmenter.h"

namespace sono {

struct PromptedMask {
  cv::Mat mask;  // CV_8UC1 on the native grid, 0 or 255
  Box box;       // the prompt, px on the native grid
};

// Keeps the decoder weights of the candidate in use. One thread.
class Predictor {
 public:
  // `jitter_px`: largest outward jitter of a side of gt-box, in the frame (19
  // in Wang et al. 2025: randint(0, 20)).
  Predictor(Segmenter& segmenter, FrozenFeatures& features, int jitter_px)
      : segmenter_(segmenter), features_(features), jitter_px_(jitter_px) {}

  // `prompt`: gt-box (needs sample.mask), frame, self or detector; `draw`
  // numbers the jittered boxes of gt-box, `jitter_px` stands in for that of all
  // predictions. DataError when the candidate's weights cannot be read.
  PromptedMask predict(const Candidate& candidate, const Sample& sample,
                       const std::string& prompt, int draw,
                       std::optional<int> jitter_px = std::nullopt);

 private:
  void use_weights(const Candidate& candidate);
  Box jittered_box(const SamFrame& frame, const Sample& sample, int draw,
                   int jitter_px) const;
  cv::Mat blind_mask(const Candidate& candidate, const Box& box,
                     const SamFrame& frame, int jitter_px) const;

  Segmenter& segmenter_;
  FrozenFeatures& features_;
  int jitter_px_;
};

}  // namespace sono
