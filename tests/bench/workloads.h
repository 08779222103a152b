#pragma once
// What is trained in the benchmarks, as tasks of the training loop. The Python
// peer builds the same shapes: tests/bench/step_time.py.

#include <memory>
#include <string>

#include "models/unet/unet.h"
#include "trainer/task.h"

namespace sono::bench {

// A task with a fixed global batch; the step number changes nothing.
class Workload : public Task {
 public:
  virtual std::int64_t batch_size() const = 0;
};

// Errors of a UNet with 3x3 convolutions and attention at its two coarsest
// levels, on [8, 8, 48, 64]: 10.1 M parameters in 254 tensors.
// "unet": parameters drawn from a fixed seed.
//
// Low-rank updates of all attention projections of Stable Diffusion 1.5's UNet
// at rank 128, without the frozen weights: 25.5 M parameters in 256 tensors and
// little arithmetic. "lora".
//
// ConfigError for any other name.
std::unique_ptr<Workload> make_workload(const std::string& name);

// Four levels of these widths, as the default generator has them.
UNetConfig unet_of_widths(const std::vector<std::int64_t>& widths);

// Stable Diffusion 1.5's, 860 M parameters.
UNetConfig stable_diffusion_unet();

}  // namespace sono::bench
