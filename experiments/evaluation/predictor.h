#pragma once
// One prediction: a candidate's answer to one prompt on one image.

#include "data/sample.h"
#include "experiments/evaluation/candidate.h"
#include "trainer/frozen_features.h"
#include "trainer/segmenter.h"

namespace sono {

// Largest outward jitter of a gt-box, px in the segmenter's frame (Wang et al.
// 2025: randint(0, 20), each side).
inline constexpr int kBoxJitterPx = 19;

struct PromptedMask {
  cv::Mat mask;  // CV_8UC1 on the native grid, 0 or 255
  Box box;       // the prompt, px on the native grid
};

// Keeps the decoder weights of the candidate in use. One thread.
class Predictor {
 public:
  Predictor(Segmenter& segmenter, FrozenFeatures& features)
      : segmenter_(segmenter), features_(features) {}

  // `prompt`: gt-box (needs sample.mask), frame or self; `draw` numbers the
  // jittered boxes of gt-box. DataError when the candidate's weights cannot be
  // read.
  PromptedMask predict(const Candidate& candidate, const Sample& sample,
                       const std::string& prompt, int draw);

 private:
  void use_weights(const Candidate& candidate);

  Segmenter& segmenter_;
  FrozenFeatures& features_;
  std::string loaded_;  // checkpoint hash of the weights in the segmenter
};

}  // namespace sono
