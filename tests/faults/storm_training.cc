#include "tests/faults/storm_training.h"

#include <ATen/Parallel.h>

#include "core/random.h"
#include "trainer/trainer.h"

namespace sono {
namespace {

// Draws a vector towards keyed multiples of itself.
class StormTask : public Task {
 public:
  StormTask() {
    Random random(make_key("storm", 1));
    base_ = at::empty({600'000}, at::kFloat);
    random.fill_normal(base_.data_ptr<float>(), 600'000);
    weight_ = (base_ * 0.1).requires_grad_();
    bias_ = at::zeros({33}, at::kFloat).requires_grad_();
  }

  NamedTensors parameters() override {
    return {{"weight", weight_}, {"bias", bias_}};
  }

  at::Tensor loss(std::int64_t step, std::int64_t begin,
                  std::int64_t end) override {
    at::Tensor sum = (bias_ - 1).square().sum();
    for (std::int64_t i = begin; i < end; ++i) {
      Random random(make_key("pull", 1, static_cast<std::uint64_t>(i),
                             static_cast<std::uint64_t>(step)));
      sum = sum + (weight_ - base_ * random.normal()).square().sum();
    }
    return sum / 4;
  }

 private:
  at::Tensor base_, weight_, bias_;
};

}  // namespace

void train_storm(Communicator& comm, const std::filesystem::path& dir,
                 int zero_stage) {
  at::set_num_threads(1);
  StormTask task;
  TrainConfig config;
  config.steps = 40;
  config.batch_size = 4;
  config.lanes = 4;
  config.learning_rate = 1e-2;
  config.ema_decay = 0.9;
  config.checkpoint_every = 2;
  config.seed = 1;
  config.dist.zero_stage = zero_stage;
  const StopSignal stop;
  train(comm, task, config, "storm", dir, stop, nullptr, "storm");
}

}  // namespace sono
