#include <limits>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include "tests/bench/gloo_group.h"
#include "tests/bench/samples.h"
#include "tests/bench/stepper.h"

namespace sono::bench {
namespace {

std::vector<at::Tensor> tensors_of(const NamedTensors& named) {
  std::vector<at::Tensor> tensors;
  for (const auto& [name, tensor] : named) tensors.push_back(tensor);
  return tensors;
}

// As DistributedDataParallel makes it: one bucket a step long, then buckets in
// the order in which the gradients came, the first of 1 MiB, others of 25 MiB.
std::unique_ptr<c10d::Reducer> make_reducer(
    const std::vector<at::Tensor>& params,
    const c10::intrusive_ptr<c10d::ProcessGroup>& group) {
  const std::vector<bool> sparse(params.size(), false);
  auto [buckets, limits] = c10d::compute_bucket_assignment_by_size(
      params, {std::numeric_limits<std::int64_t>::max()}, sparse);
  return std::make_unique<c10d::Reducer>(
      params, std::vector(buckets.rbegin(), buckets.rend()), group, sparse,
      c10d::kDefaultBucketBytesCap, /*find_unused_parameters=*/false,
      /*gradient_as_bucket_view=*/true,
      std::unordered_map<std::size_t, std::string>{},
      c10d::kDefaultFirstBucketBytes, /*skip_all_reduce_unused_params=*/false,
      /*use_python_reducer=*/false, std::vector<std::int64_t>{});
}

class DdpStepper : public Stepper {
 public:
  DdpStepper(Communicator& comm, Workload& workload,
             const StepperOptions& options)
      : comm_(comm),
        workload_(workload),
        options_(options),
        params_(tensors_of(workload.parameters())),
        group_(comm),
        reducer_(make_reducer(params_, group_.get())) {
    for (const at::Tensor& param : params_) {
      exp_avg_.push_back(at::zeros_like(param));
      exp_avg_sq_.push_back(at::zeros_like(param));
      updates_.push_back(at::zeros({}));
    }
  }

  void step() override {
    // What Optimizer.zero_grad() does unless told otherwise.
    for (at::Tensor& param : params_) param.mutable_grad() = at::Tensor();
    loss_ = 0;
    const int n = comm_.world_size();
    const auto first = split_point(options_.lanes, n, comm_.rank());
    const auto last = split_point(options_.lanes, n, comm_.rank() + 1);
    for (auto lane = first; lane < last; ++lane) {
      loss_ += run_lane(lane, lane + 1 == last);
    }
    update();
  }

  double loss() override { return total(comm_, loss_); }

 private:
  double run_lane(std::int64_t lane, bool reduce) {
    if (reduce) {
      reducer_->prepare_for_forward();
      reducer_->rebuild_buckets();
    }
    const at::Tensor loss = workload_.loss(
        0, split_point(workload_.batch_size(), options_.lanes, lane),
        split_point(workload_.batch_size(), options_.lanes, lane + 1));
    if (reduce) reducer_->prepare_for_backward({});
    // The reducer takes the mean over ranks, the loss is to be summed.
    (loss * comm_.world_size()).backward();
    return loss.item<double>();
  }

  // clip_grad_norm_, then AdamW(fused=True).step().
  void update() {
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> grads;
    for (const at::Tensor& param : params_) grads.push_back(param.grad());
    const at::Tensor norm =
        at::linalg_vector_norm(at::stack(at::_foreach_norm(grads)), 2);
    at::_foreach_mul_(grads,
                      (options_.clip_norm / (norm + 1e-6)).clamp_max(1.0));
    at::_foreach_add_(updates_, 1);
    at::_fused_adamw_(params_, grads, exp_avg_, exp_avg_sq_, {}, updates_,
                      options_.learning_rate, /*beta1=*/0.9, /*beta2=*/0.999,
                      options_.weight_decay, /*eps=*/1e-8, /*amsgrad=*/false,
                      /*maximize=*/false);
  }

  Communicator& comm_;
  Workload& workload_;
  StepperOptions options_;
  std::vector<at::Tensor> params_, exp_avg_, exp_avg_sq_, updates_;
  GlooGroup group_;
  std::unique_ptr<c10d::Reducer> reducer_;
  double loss_ = 0;
};

}  // namespace

std::unique_ptr<Stepper> make_ddp_stepper(Communicator& comm,
                                          Workload& workload,
                                          const StepperOptions& options) {
  return std::make_unique<DdpStepper>(comm, workload, options);
}

}  // namespace sono::bench
