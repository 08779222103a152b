// What a training step does to gradients, counted as LibTorch dispatches it:
//  - copies: every aten::copy_ from or to memory that is, at any time of the
//    step, the .grad of a parameter;
//  - optimiser calls: fused Adam, AdamW and SGD.
// Copies by plain memcpy, inside a transport say, are not seen.
//
//   mpirun -n 2 step_counts WORKLOAD ROUNDS SIDE/LANES ...

#include <ATen/record_function.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <mutex>
#include <set>

#include "core/error.h"
#include "tests/bench/samples.h"
#include "tests/bench/side.h"

namespace sono::bench {
namespace {

// What happened in one step. Memory is kept until the end of the step, so that
// an address means one thing.
struct Events {
  std::mutex mutex;  // backward and communication may be other threads
  std::vector<std::pair<c10::Storage, c10::Storage>> copies;  // to, from
  std::vector<c10::Storage> grads;
  int optimizer_calls = 0;
};

Events& events() {
  static Events instance;
  return instance;
}

bool is_optimizer(const std::string& name) {
  for (const char* kernel : {"_fused_adam_", "_fused_adamw_", "_fused_sgd_"}) {
    if (name == std::string("aten::") + kernel) return true;
  }
  return false;
}

std::unique_ptr<at::ObserverContext> observe(const at::RecordFunction& call) {
  const std::string name = call.name();
  std::lock_guard lock(events().mutex);
  if (is_optimizer(name)) ++events().optimizer_calls;
  if (name == "aten::copy_") {
    events().copies.emplace_back(call.inputs()[0].toTensor().storage(),
                                 call.inputs()[1].toTensor().storage());
  }
  return nullptr;
}

// Runs after a gradient has been accumulated into .grad.
class NoteGrad : public torch::autograd::FunctionPostHook {
 public:
  explicit NoteGrad(at::Tensor parameter) : parameter_(std::move(parameter)) {}

  torch::autograd::variable_list operator()(
      const torch::autograd::variable_list& outputs,
      const torch::autograd::variable_list& /*inputs*/) override {
    std::lock_guard lock(events().mutex);
    events().grads.push_back(parameter_.grad().storage());
    return outputs;
  }

 private:
  at::Tensor parameter_;
};

using Accumulators = std::vector<std::shared_ptr<torch::autograd::Node>>;

Accumulators watch_grads(Workload& workload) {
  Accumulators accumulators;
  for (const auto& [name, parameter] : workload.parameters()) {
    auto accumulator = torch::autograd::impl::grad_accumulator(parameter);
    accumulator->add_post_hook(std::make_unique<NoteGrad>(parameter));
    accumulators.push_back(
        std::move(accumulator));  // parameters hold it weakly
  }
  return accumulators;
}

struct Counts {
  int copies = 0;
  int optimizer_calls = 0;
};

Counts count_step(Stepper& stepper) {
  events().copies.clear();
  events().grads.clear();
  events().optimizer_calls = 0;
  const auto handle = at::addGlobalCallback(
      at::RecordFunctionCallback(&observe).needsInputs(true).scopes(
          {at::RecordScope::FUNCTION}));
  stepper.step();
  at::removeCallback(handle);
  std::set<const void*> grads;
  for (const c10::Storage& grad : events().grads) grads.insert(grad.data());
  if (grads.empty()) throw Error("no gradient was seen; the count is void");
  Counts counts{0, events().optimizer_calls};
  for (const auto& [to, from] : events().copies) {
    if (grads.contains(to.data()) || grads.contains(from.data())) {
      ++counts.copies;
    }
  }
  return counts;
}

void run(Communicator& comm, const std::string& workload, int rounds,
         const std::string& name) {
  Side side = make_side(comm, workload, name);
  const Accumulators accumulators = watch_grads(*side.workload);
  const std::string prefix = "counts/" + workload + "/" + name;
  Series copies{prefix + "/gradient_copies", "copies", {}, side.parameters};
  Series calls{prefix + "/optimizer_calls", "calls", {}, side.parameters};
  for (int round = 0; round < kWarmUp + rounds; ++round) {
    const Counts counts = count_step(*side.stepper);
    if (round < kWarmUp) continue;
    copies.values.push_back(largest(comm, counts.copies));
    calls.values.push_back(largest(comm, counts.optimizer_calls));
  }
  print(comm, copies);
  print(comm, calls);
}

}  // namespace
}  // namespace sono::bench

int main(int argc, char** argv) {
  using namespace sono;
  return bench::bench_main([&](const MpiSession&, Communicator& comm) {
    if (argc < 4) {
      throw ConfigError("usage: step_counts WORKLOAD ROUNDS SIDE/LANES ...");
    }
    for (int i = 3; i < argc; ++i) {
      bench::run(comm, argv[1], bench::parse_count("ROUNDS", argv[2]), argv[i]);
    }
  });
}
