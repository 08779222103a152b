#include "dist/arena.h"
#include "dist/lane_reducer.h"
#include "dist/optimizer.h"
#include "tests/bench/stepper.h"

namespace sono::bench {
namespace {

class OurStepper : public Stepper {
 public:
  OurStepper(Communicator& comm, Workload& workload,
             const StepperOptions& options)
      : workload_(workload),
        options_(options),
        arena_(workload.parameters(), {}),
        reducer_(comm, arena_.layout(), options.lanes, /*num_scalars=*/1,
                 arena_.params.data.device()),
        optimizer_({.weight_decay = options.weight_decay,
                    .clip_norm = options.clip_norm}) {}

  void step() override {
    const auto [first, last] = reducer_.lanes();
    for (int lane = first; lane < last; ++lane) {
      const at::Tensor loss = workload_.loss(
          0, split_point(workload_.batch_size(), options_.lanes, lane),
          split_point(workload_.batch_size(), options_.lanes, lane + 1));
      loss.backward();
      reducer_.add_lane(arena_.take_gradients(), {loss.item<double>()});
    }
    loss_ = reducer_.finish(arena_.grad.data, /*vote=*/false).scalars[0];
    optimizer_.step(arena_, options_.learning_rate, loss_);
  }

  double loss() override { return loss_; }

 private:
  Workload& workload_;
  StepperOptions options_;
  Arena arena_;
  LaneReducer reducer_;
  Optimizer optimizer_;
  double loss_ = 0;
};

}  // namespace

std::unique_ptr<Stepper> make_our_stepper(Communicator& comm,
                                          Workload& workload,
                                          const StepperOptions& options) {
  return std::make_unique<OurStepper>(comm, workload, options);
}

}  // namespace sono::bench
