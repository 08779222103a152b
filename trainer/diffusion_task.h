#pragma once
// Training of the generator: which view at which noise level, and its loss.

#include <cstdint>
#include <functional>

#include "core/random.h"
#include "trainer/diffusion_augment.h"
#include "trainer/diffusion_model.h"
#include "trainer/task.h"

namespace sono {

struct DiffusionExample {
  at::Tensor image;           // fp32 [1, H, W] in [-1, 1]
  at::Tensor mask;            // fp32 [1, H, W], 0 or 1
  std::int64_t class_id = 0;  // 0 = any, else 1 .. num_classes
};

// The training images. `get` must be a pure function of the index and of the
// stream it is given (for sources that vary, like a simulator).
struct DiffusionExamples {
  std::int64_t count = 0;
  std::function<DiffusionExample(std::int64_t index, Random& random)> get;
};

struct DiffusionTaskConfig {
  std::int64_t batch_size = 8;  // samples a step, over all ranks
  std::uint64_t seed = 0;
  bool augment = true;
  DiffusionAugmentConfig augmentation;
};

// A thin outline of a mask, about 2 px wide: mask [..., H, W] of 0 or 1 to
// fp32 of the same shape, 0 or 1. Where the mask meets the frame it is open.
at::Tensor outline_of(const at::Tensor& mask);

// Sample n = step * batch_size + position is the whole identity of a view: its
// image (a permutation an epoch), augmentation, timestep, noise and dropouts
// follow from (seed, n) alone.
class DiffusionTask : public Task {
 public:
  // `model` must outlive the task; its parameters are set to require grad.
  // DataError when there are no examples.
  DiffusionTask(DiffusionModel& model, DiffusionExamples examples,
                const DiffusionTaskConfig& config);

  NamedTensors parameters() override;
  std::vector<const Module*> blocks() override;
  // Weighted mean squared error a sample, summed, over batch_size.
  at::Tensor loss(std::int64_t step, std::int64_t begin,
                  std::int64_t end) override;

 private:
  struct Views {           // of one lane, B = end - begin
    at::Tensor clean;      // [B, 4 or 8, H/2, W/2]
    at::Tensor noise;      // as clean
    at::Tensor mask;       // [B, 1, H, W], -1 or 1; 0 where hidden
    at::Tensor timesteps;  // int64 [B]
    at::Tensor class_ids;  // int64 [B]
  };
  Views views(std::int64_t step, std::int64_t begin, std::int64_t end) const;
  DiffusionExample example(std::uint64_t sample) const;

  DiffusionModel& model_;
  DiffusionExamples examples_;
  DiffusionTaskConfig config_;
};

}  // namespace sono
