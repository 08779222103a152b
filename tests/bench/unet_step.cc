// Time of the default generator: a training view (forward, backward) and a
// sampling step, one thread. Run by hand; the peer is tests/bench/unet_step.py.
//
//   build/release/bench/unet_step [batch size]

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>

#include "trainer/diffusion_model.h"

namespace {

// Best of five, in ms of processor time: the machine may be shared.
double best_ms(const std::function<void()>& work) {
  work();
  double best = 1e30;
  for (int i = 0; i < 5; ++i) {
    const std::clock_t start = std::clock();
    work();
    const auto ticks = static_cast<double>(std::clock() - start);
    best = std::min(best, 1000 * ticks / CLOCKS_PER_SEC);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const int batch = argc > 1 ? std::atoi(argv[1]) : 8;
  at::set_num_threads(1);
  sono::DiffusionModel model{sono::DiffusionConfig{}};
  model.unet().initialize(1);
  std::int64_t parameters = 0;
  for (const auto& [name, tensor] : model.unet().named_parameters()) {
    parameters += tensor.numel();
  }
  const at::Tensor x = at::full({batch, 8, 44, 64}, 0.1);
  const at::Tensor t = at::full({batch}, 500, at::kLong);
  model.unet().requires_grad(true);
  const double train =
      best_ms([&] { model.unet()(x, t).square().mean().backward(); });
  const double step = best_ms([&] {
    const at::NoGradGuard no_grad;
    model.unet()(x, t);
  });
  std::printf(
      "%.2f M parameters, batch %d: %.2f ms a training view, %.2f ms a "
      "sampling step and image\n",
      static_cast<double>(parameters) / 1e6, batch, train / batch,
      step / batch);
}
