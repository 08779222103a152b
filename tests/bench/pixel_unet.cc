// Seconds of the pixel generator's default network a batch: a training pass
// (forward and backward) and a sampling step. The peers are in
// tests/bench/pixel_unet.py.
//
//   pixel_unet BATCH ROUNDS
//
// Images of 128 x 96 px, space to depth: 8 channels of 48 x 64. The recipes' 88
// rows would be 44 here, which the peer cannot upsample to. One thread, as a
// rank has.

#include <ATen/Parallel.h>

#include <chrono>

#include "core/allocator.h"
#include "core/error.h"
#include "tests/bench/samples.h"
#include "trainer/diffusion_model.h"

namespace sono::bench {
namespace {

// The first call is not counted.
std::vector<double> time_each(int rounds, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  work();
  std::vector<double> seconds;
  for (int i = 0; i < rounds; ++i) {
    const auto start = Clock::now();
    work();
    const std::chrono::duration<double> passed = Clock::now() - start;
    seconds.push_back(passed.count());
  }
  return seconds;
}

void measure(const Communicator& comm, int batch, int rounds) {
  DiffusionModel model{DiffusionConfig{}};
  UNet& unet = model.unet();
  unet.initialize(1);
  std::int64_t parameters = 0;
  for (const auto& [name, tensor] : unet.named_parameters()) {
    parameters += tensor.numel();
  }
  const at::Tensor x = at::full({batch, 8, 48, 64}, 0.1);
  const at::Tensor t = at::full({batch}, 500, at::kLong);
  unet.requires_grad(true);
  const auto train =
      time_each(rounds, [&] { unet(x, t).square().mean().backward(); });
  const auto sample = time_each(rounds, [&] {
    const at::NoGradGuard no_grad;
    unet(x, t);
  });
  print(comm, {"pixel_unet/train/ours", "s", train, parameters});
  print(comm, {"pixel_unet/sample/ours", "s", sample, parameters});
}

}  // namespace
}  // namespace sono::bench

int main(int argc, char** argv) {
  sono::keep_freed_memory();  // as sonoforge does
  return sono::bench::bench_main(
      [&](const sono::MpiSession&, sono::Communicator& comm) {
        if (argc != 3) {
          throw sono::ConfigError("usage: pixel_unet BATCH ROUNDS");
        }
        sono::bench::measure(comm, sono::bench::parse_count("BATCH", argv[1]),
                             sono::bench::parse_count("ROUNDS", argv[2]));
      });
}
