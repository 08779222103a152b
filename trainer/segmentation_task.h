#pragma once
// Tunes a SAM: its mask decoder alone, on embeddings that come ready-made or
// are computed in the step, with the same bits; or the image encoder with it,
// whole (MedSAM's recipe, Ma et al. 2024) or by a low-rank addition. The prompt
// encoder stays as published.
//
// View n = step * batch_size + position is the whole identity of a view: its
// image, variant and prompt follow from (seed, n) alone.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/random.h"
#include "data/ellipse.h"
#include "models/lora/lora_set.h"
#include "models/sam/sam.h"
#include "trainer/task.h"
#include "trainer/tuned_parts.h"

namespace sono {

struct TrainingView {
  // fp32 [1, 256, 64, 64]; serves only while the encoder is frozen. Without it
  // `input` is encoded in the step.
  at::Tensor embedding;
  at::Tensor target;   // fp32 [256, 256], 0 or 1, in the frame
  Box box;             // tight box of the target, frame px
  Box whole;           // the image's part of the frame, [0, 0, width, height]
  at::Tensor input{};  // the encoder's, fp32 [1, 3, S, S]
};

// Images to train on, each in `variants` prepared versions; `get` must be a
// pure function of its arguments.
struct TrainingPool {
  std::int64_t count = 0;
  std::int64_t variants = 1;
  std::function<TrainingView(std::int64_t index, std::int64_t variant)> get;
};

struct SegmentationTaskConfig {
  TunedParts parts = TunedParts::kDecoder;
  std::int64_t batch_size = 5;  // views a step, over all ranks
  std::uint64_t seed = 0;
  int max_jitter_px = 19;          // outwards, each side of the true box
  double whole_frame_share = 0.5;  // of views prompted with the whole frame
  // Real and synthetic images are shuffled as one set, not half of each batch.
  bool one_set = false;
};

// Dice plus cross-entropy of one view's logits [..., H, W] against targets of 0
// or 1 of the same shape, each averaged over the leading dimensions. Equals
// MONAI's DiceCELoss(sigmoid=True, squared_pred=True).
at::Tensor dice_cross_entropy(const at::Tensor& logits,
                              const at::Tensor& target);
// The same with the Dice of all views as one, as MONAI's with batch=True.
at::Tensor batch_dice_cross_entropy(const at::Tensor& logits,
                                    const at::Tensor& target);

class SegmentationTask : public Task {
 public:
  // `model` must outlive the task; the parameters below are set to require
  // grad. With synthetic images every second view is one of them, unless
  // they are one set. `lora`: for
  // kDecoderAndLora, attached to the model's image encoder, else null.
  // DataError when there are no real images and no synthetic ones; ConfigError
  // when the image encoder cannot be trained (LiteMedSAM's).
  SegmentationTask(Sam& model, TrainingPool real, TrainingPool synthetic,
                   const SegmentationTaskConfig& config,
                   LoraSet* lora = nullptr);

  // The parts of the mask decoder behind a single-mask output (the heads for
  // other masks and for IoU get no gradient and stay as published); before
  // them "image_encoder.*", or "lora.*".
  NamedTensors parameters() override;
  // The encoder's, where all of it is trained.
  std::vector<const Module*> blocks() override;
  at::Tensor loss(std::int64_t step, std::int64_t begin,
                  std::int64_t end) override;

 private:
  TrainingView view(std::uint64_t n) const;
  TrainingView view_of_one_set(std::uint64_t n) const;
  Box prompt(const TrainingView& view, std::uint64_t n) const;
  at::Tensor embedding(const TrainingView& view) const;

  Sam& model_;
  TrainingPool real_;
  TrainingPool synthetic_;
  SegmentationTaskConfig config_;
  LoraSet* lora_;
};

}  // namespace sono
