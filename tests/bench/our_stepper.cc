#include <unistd.h>

#include <optional>
#include <string>

#include "dist/arena.h"
#include "dist/gradient_norm.h"
#include "dist/optimizer.h"
#include "dist/parameter_gather.h"
#include "dist/recorder/flight_recorder.h"
#include "dist/reducer/gradient_reducer.h"
#include "tests/bench/stepper.h"

namespace sono::bench {
namespace {

class OurStepper : public Stepper {
 public:
  OurStepper(Communicator& comm, Workload& workload,
             const StepperOptions& options)
      : comm_(comm),
        workload_(workload),
        options_(options),
        arena_(workload.parameters(), {.zero_stage = options.zero_stage,
                                       .rank = comm.rank(),
                                       .world_size = comm.world_size()}),
        queue_(comm, /*threaded=*/true),
        reducer_(make_gradient_reducer(
            queue_, arena_, {.exact = options.exact, .lanes = options.lanes})),
        optimizer_({.weight_decay = options.weight_decay,
                    .clip_norm = options.clip_norm}) {
    if (!options.recorded) return;
    RecorderOptions recorder;
    recorder.job = "bench" + std::to_string(::getpid());
    recorder.rank = comm.rank();
    recorder.world_size = comm.world_size();
    recorder_.emplace(recorder);
  }

  void step() override {
    if (recorder_) comm_.set_recorder(&*recorder_);
    run_step();
    comm_.set_recorder(nullptr);
  }

  double loss() override { return loss_; }

 private:
  void run_step() {
    for (const auto& samples : reducer_->pieces(workload_.batch_size())) {
      reducer_->begin_piece();
      const at::Tensor loss = workload_.loss(0, samples.begin, samples.end);
      loss.backward();
      reducer_->end_piece({loss.item<double>()});
    }
    loss_ = reducer_->finish({}).scalars[0];
    const double norm = gradient_norm(comm_, arena_);
    optimizer_.step(arena_, norm, options_.learning_rate, loss_);
    gather_parameters(comm_, arena_);
  }

  Communicator& comm_;
  Workload& workload_;
  StepperOptions options_;
  Arena arena_;
  CommQueue queue_;
  std::unique_ptr<GradientReducer> reducer_;
  Optimizer optimizer_;
  std::optional<FlightRecorder> recorder_;
  double loss_ = 0;
};

}  // namespace

std::unique_ptr<Stepper> make_our_stepper(Communicator& comm,
                                          Workload& workload,
                                          const StepperOptions& options) {
  return std::make_unique<OurStepper>(comm, workload, options);
}

}  // namespace sono::bench
