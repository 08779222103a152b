#include "experiments/evaluation/predictor.h"

#include "core/check.h"
#include "core/random.h"
#include "data/mask.h"
#include "experiments/evaluation/baselines.h"
#include "experiments/evaluation/detector.h"

namespace sono {
// Boxes are keyed by image and draw alone, so that every candidate answers the
// same boxes and differences are paired.
Box Predictor::jittered_box(const SamFrame& frame, const Sample& sample,
                            int draw, int jitter_px) const {
  Random random(make_key("evaluation.box." + sample.id, 0,
                         static_cast<std::uint64_t>(draw)));
  return jittered(frame.from_native(tight_box(sample.mask)), frame.whole(),
                  random, jitter_px);
}

// `box` in the frame.
cv::Mat Predictor::blind_mask(const Candidate& candidate, const Box& box,
                              const SamFrame& frame, int jitter_px) const {
  if (candidate.arm != kBlindEllipseArm) {
    return mean_mask_prediction(candidate.mean_mask, frame.native);
  }
  const double mean_jitter = jitter_px / 2.0;
  if (frame.scale_x == frame.scale_y) {
    return blind_ellipse(frame.to_native(box), mean_jitter / frame.scale_x,
                         frame.native);
  }
  // A squashed frame has another jitter along each side of the native grid.
  const Box shrunk{box.x0 + mean_jitter, box.y0 + mean_jitter,
                   box.x1 - mean_jitter, box.y1 - mean_jitter};
  return blind_ellipse(frame.to_native(shrunk), 0, frame.native);
}

void Predictor::use_weights(const Candidate& candidate) {
  if (candidate.weights.empty()) {
    segmenter_.use_published();
  } else {
    segmenter_.use_tuned(candidate.weights, candidate.checkpoint_hash);
  }
}

PromptedMask Predictor::predict(const Candidate& candidate,
                                const Sample& sample, const std::string& prompt,
                                int draw, std::optional<int> jitter_px) {
  const int jitter = jitter_px.value_or(jitter_px_);
  const SamFrame frame = segmenter_.frame(sample.image.size());
  Box box = frame.whole();
  if (prompt == "gt-box") {
    box = jittered_box(frame, sample, draw, jitter);
  }
  if (candidate.blind()) {
    return {blind_mask(candidate, box, frame, jitter), frame.to_native(box)};
  }
  use_weights(candidate);
  const at::Tensor embedding = features_.embedding(sample.image);
  if (prompt == "self") box = segmenter_.self_box(embedding, frame.native);
  if (prompt == "detector") {
    box = detect_box(candidate.detector, embedding, frame);
  }
  return {segmenter_.predict(embedding, box, frame.native),
          frame.to_native(box)};
}

}  // namespace sono
