#include "experiments/evaluation/predictor.h"

#include "core/check.h"
#include "core/random.h"
#include "data/mask.h"
#include "experiments/evaluation/baselines.h"

namespace sono {
namespace {

// Boxes are keyed by image and draw alone, so that every candidate answers the
// same boxes and differences are paired.
Box jittered_box(const SamFrame& frame, const Sample& sample, int draw) {
  Random random(make_key("evaluation.box." + sample.id, 0,
                         static_cast<std::uint64_t>(draw)));
  return jittered(frame.from_native(tight_box(sample.mask)), frame.whole(),
                  random, kBoxJitterPx);
}

Box to_native(const Box& box, const SamFrame& frame) {
  return {box.x0 / frame.scale, box.y0 / frame.scale, box.x1 / frame.scale,
          box.y1 / frame.scale};
}

cv::Mat blind_mask(const Candidate& candidate, const Box& native_box,
                   const SamFrame& frame) {
  if (candidate.arm == kBlindEllipseArm) {
    return blind_ellipse(native_box, kBoxJitterPx / 2.0 / frame.scale,
                         frame.native);
  }
  return mean_mask_prediction(candidate.mean_mask, frame.native);
}

}  // namespace

void Predictor::use_weights(const Candidate& candidate) {
  if (loaded_ == candidate.checkpoint_hash) return;
  if (candidate.weights.empty()) {
    segmenter_.reset_decoder();
  } else {
    segmenter_.load_decoder(candidate.weights);
  }
  loaded_ = candidate.checkpoint_hash;
}

PromptedMask Predictor::predict(const Candidate& candidate,
                                const Sample& sample, const std::string& prompt,
                                int draw) {
  const SamFrame frame(sample.image.size());
  Box box = frame.whole();
  if (prompt == "gt-box") box = jittered_box(frame, sample, draw);
  if (candidate.blind()) {
    const Box native = to_native(box, frame);
    return {blind_mask(candidate, native, frame), native};
  }
  use_weights(candidate);
  const at::Tensor embedding = features_.embedding(sample.image);
  if (prompt == "self") box = segmenter_.self_box(embedding, frame.native);
  return {segmenter_.predict(embedding, box, frame.native),
          to_native(box, frame)};
}

}  // namespace sono
