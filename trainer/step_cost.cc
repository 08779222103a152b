#include "trainer/step_cost.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <optional>

#include "dist/arena.h"
#include "dist/gradient_norm.h"
#include "dist/local/communicator.h"
#include "dist/memory_plan.h"
#include "dist/optimizer.h"
#include "models/nn/recompute.h"
#include "trainer/block_parameters.h"

namespace sono {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::int64_t kOptimizedElements = 1 << 22;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The largest of all ranks' numbers, on every rank.
double most_of(Communicator& comm, double value) {
  const at::Tensor own =
      at::full({1}, value, at::kDouble).to(comm.device_type());
  double most = value;
  for (const at::Tensor& other : comm.all_gather(own)) {
    most = std::max(most, other.item<double>());
  }
  return most;
}

// Seconds of core time: the slowest rank's, less what sharing cores costs.
double measure(Communicator& comm, const StepProbe& probe,
               const std::function<void()>& work) {
  work();  // allocations and first touches do not count
  std::vector<double> seconds;
  for (int i = 0; i < probe.repeats; ++i) {
    comm.barrier();
    const auto start = Clock::now();
    work();
    seconds.push_back(most_of(comm, seconds_since(start)));
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2] *
         std::min(1.0, probe.cores / probe.ranks_here);
}

// From here on the peak of resident memory counts anew; false where the system
// does not allow that.
bool restart_peak() {
  std::ofstream file("/proc/self/clear_refs");
  return static_cast<bool>(file << "5" << std::flush);
}

std::int64_t peak_bytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) return std::atoll(line.c_str() + 6) * 1024;
  }
  return 0;
}

struct LaneTimes {
  double whole = 0, backward = 0;
};

// One lane, gradients added onto buffers as in a step.
LaneTimes run_lane(Task& task, std::int64_t samples, bool recomputes) {
  const at::AutoGradMode with_grad(true);
  std::optional<RecomputeScope> recompute;
  if (recomputes) recompute.emplace(nullptr);
  const auto start = Clock::now();
  const at::Tensor loss = task.loss(0, 0, samples);
  const auto middle = Clock::now();
  loss.backward();
  return {seconds_since(start), seconds_since(middle)};
}

void measure_lane(Communicator& comm, Task& task, const TrainConfig& config,
                  const StepProbe& probe, StepCost& cost) {
  const std::int64_t samples = largest_lane(config);
  const auto parameters = task.parameters();
  for (const auto& [name, tensor] : parameters) {
    tensor.mutable_grad() = at::zeros_like(tensor);
  }
  cost.base_bytes = resident_bytes();
  const bool counted = restart_peak();
  const bool recomputes = config.dist.recompute || config.dist.zero_stage >= 3;
  LaneTimes last;
  const double lane =
      measure(comm, probe, [&] { last = run_lane(task, samples, recomputes); });
  if (counted) {
    cost.activation_bytes =
        std::max<std::int64_t>(0, peak_bytes() - cost.base_bytes);
  }
  cost.sample = lane / static_cast<double>(samples);
  cost.backward = last.backward / last.whole;
  for (const auto& [name, tensor] : parameters) {
    tensor.mutable_grad() = at::Tensor();
  }
}

// The optimiser itself, on as many elements as fit no cache.
void measure_update(Communicator& comm, const TrainConfig& config,
                    const StepProbe& probe, StepCost& cost) {
  const at::Tensor values =
      at::zeros({std::min(cost.layout.size(), kOptimizedElements)})
          .requires_grad_();
  ArenaOptions options = config.arena_options();
  options.zero_stage = 0;
  Arena arena({{"values", values}}, options);
  arena.grad.data.fill_(1e-3);
  Optimizer optimizer(config.optimizer_options());
  const auto alone = make_single_rank();
  const auto elements = static_cast<double>(arena.layout().size());
  cost.update = measure(comm, probe,
                        [&] {
                          const double norm = gradient_norm(*alone, arena);
                          optimizer.step(arena, norm, config.learning_rate, 0);
                        }) /
                elements;
  const at::Tensor other = at::ones_like(arena.grad.data);
  cost.merge =
      measure(comm, probe, [&] { arena.grad.data.add_(other); }) / elements;
}

}  // namespace

std::int64_t largest_lane(const TrainConfig& config) {
  return (config.batch_size + config.lanes - 1) / config.lanes;
}

StepCost measure_step(Communicator& comm, Task& task, const TrainConfig& config,
                      const StepProbe& probe) {
  const auto parameters = task.parameters();
  StepCost cost{Layout(parameters), entries_of(task.blocks(), parameters)};
  measure_lane(comm, task, config, probe, cost);
  measure_update(comm, config, probe, cost);
  return cost;
}

}  // namespace sono
