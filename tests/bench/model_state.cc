// Bytes of model state a rank holds at each ZeRO stage, against theory, for a
// UNet of 60 M parameters; how much the process grew by it; and the activations
// that one view of 48 x 64 leaves for backward.
//
//   mpirun -n 4 model_state

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <memory>
#include <optional>

#include "dist/arena.h"
#include "dist/memory_plan.h"
#include "tests/bench/samples.h"
#include "tests/bench/workloads.h"
#include "trainer/block_parameters.h"

namespace sono::bench {
namespace {

constexpr int kLastStage = 3;
const std::vector<std::int64_t> kWidths{128, 256, 384, 512};

double held_bytes(const Arena& arena) {
  std::size_t bytes = 0;
  for (const FlatBuffer* buffer :
       {&arena.params, &arena.grad, &arena.exp_avg, &arena.exp_avg_sq}) {
    bytes += buffer->data.storage().nbytes();
  }
  return static_cast<double>(bytes);
}

// fp32 parameters, gradient and two moments; of these stage 1 shares out the
// moments, stage 2 the gradient too, stage 3 all (Rajbhandari et al. 2020,
// section 5). Tensors are padded to 64 elements.
double theory_bytes(const NamedTensors& parameters, int stage, int world_size) {
  std::int64_t elements = 0;
  for (const auto& [name, tensor] : parameters) {
    elements += (tensor.numel() + 63) / 64 * 64;
  }
  const int shared[] = {0, 2, 3, 4};
  const auto bytes = 4.0 * static_cast<double>(elements);
  return bytes * (4 - shared[stage]) + bytes * shared[stage] / world_size;
}

// Bytes that LibTorch's allocator has handed out and not got back on this
// thread since it was installed.
class LiveBytes : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void* /*memory*/, std::int64_t bytes,
                         std::size_t /*allocated*/, std::size_t /*reserved*/,
                         c10::Device /*device*/) override {
    value += bytes;
  }
  bool memoryProfilingEnabled() const override { return true; }

  std::int64_t value = 0;
};

void measure_activations(Communicator& comm) {
  UNet unet(unet_of_widths(kWidths));
  unet.initialize(1);
  unet.requires_grad(true);
  const at::Tensor image = at::full({1, 8, 48, 64}, 0.5);
  const at::Tensor timestep = at::full({1}, 500, at::kLong);
  const auto live = std::make_shared<LiveBytes>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, live);
  const at::Tensor loss = unet(image, timestep).square().mean();
  print(comm, {"memory/activations",
               "bytes",
               {largest(comm, static_cast<double>(live->value))},
               0});
}

void measure(Communicator& comm, int stage) {
  const int n = comm.world_size();
  const std::int64_t before = resident_bytes();
  UNet unet(unet_of_widths(kWidths));
  unet.initialize(1);
  unet.requires_grad(true);
  Arena arena(unet.named_parameters(),
              {.zero_stage = stage, .rank = comm.rank(), .world_size = n});
  CommQueue queue(comm, /*threaded=*/false);
  std::optional<BlockParameters> blocks;
  if (stage == 3) blocks.emplace(queue, arena, unet.blocks());
  const std::string prefix = "memory/zero" + std::to_string(stage);
  const double held = held_bytes(arena);
  print(comm, {prefix + "/mean", "bytes", {total(comm, held) / n}, 0});
  print(comm, {prefix + "/largest", "bytes", {largest(comm, held)}, 0});
  print(comm, {prefix + "/theory",
               "bytes",
               {theory_bytes(arena.parameters(), stage, n)},
               0});
  if (blocks) {  // between blocks, outside of a step
    const auto gathered = static_cast<double>(blocks->units().bytes());
    print(comm, {prefix + "/gathered", "bytes", {gathered}, 0});
  }
  print(comm, {prefix + "/resident",
               "bytes",
               {largest(comm, static_cast<double>(resident_bytes() - before))},
               0});
}

}  // namespace
}  // namespace sono::bench

int main() {
  using namespace sono;
  return bench::bench_main([](const MpiSession&, Communicator& comm) {
    for (int stage = 0; stage <= bench::kLastStage; ++stage) {
      bench::measure(comm, stage);
    }
    bench::measure_activations(comm);
  });
}
