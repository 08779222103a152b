#pragma once
// Tunes LiteMedSAM's mask decoder; the encoder's embeddings come ready-made.
//
// View n = step * batch_size + position is the whole identity of a view: its
// image, variant and prompt follow from (seed, n) alone.

#include <cstdint>
#include <functional>

#include "core/random.h"
#include "data/ellipse.h"
#include "models/sam/sam.h"
#include "trainer/task.h"

namespace sono {

struct TrainingView {
  at::Tensor embedding;  // fp32 [1, 256, 64, 64]
  at::Tensor target;     // fp32 [256, 256], 0 or 1, in the frame
  Box box;               // tight box of the target, frame px
  Box whole;             // the image's part of the frame, [0, 0, width, height]
};

// Images to train on, each in `variants` prepared versions; `get` must be a
// pure function of its arguments.
struct TrainingPool {
  std::int64_t count = 0;
  std::int64_t variants = 1;
  std::function<TrainingView(std::int64_t index, std::int64_t variant)> get;
};

struct SegmentationTaskConfig {
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

class SegmentationTask : public Task {
 public:
  // `model` must outlive the task; the parameters below are set to require
  // grad. With synthetic images every second view is one of them, unless
  // they are one set. DataError when there are no real images and no synthetic
  // ones.
  SegmentationTask(Sam& model, TrainingPool real, TrainingPool synthetic,
                   const SegmentationTaskConfig& config);

  // The parts of the mask decoder behind a single-mask output; the heads for
  // other masks and for IoU get no gradient and stay as published.
  NamedTensors parameters() override;
  at::Tensor loss(std::int64_t step, std::int64_t begin,
                  std::int64_t end) override;

 private:
  TrainingView view(std::uint64_t n) const;
  TrainingView view_of_one_set(std::uint64_t n) const;
  Box prompt(const TrainingView& view, std::uint64_t n) const;

  Sam& model_;
  TrainingPool real_;
  TrainingPool synthetic_;
  SegmentationTaskConfig config_;
};

}  // namespace sono
