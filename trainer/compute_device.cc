#include "trainer/compute_device.h"

#include <ATen/Context.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstdlib>

#include "core/error.h"

namespace sono {
namespace {

c10::Device& current() {
  static c10::Device device(c10::kCPU);
  return device;
}

void make_deterministic() {
  // Read when cuBLAS starts: a workspace of fixed size for each stream.
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
  // The memory-efficient and flash kernels add gradients in any order.
  context.setSDPUseFlash(false);
  context.setSDPUseMemEfficient(false);
  context.setSDPUseCuDNN(false);
}

}  // namespace

void set_compute_device(const c10::Device& device) {
  if (!device.is_cpu()) {
    if (!at::hasCUDA()) {
      throw ConfigError(
          "option place.device = cuda: this program was built without CUDA; "
          "run SONO_FULL=1 launch/setup, configure and build again");
    }
    make_deterministic();
    try {
      c10::impl::VirtualGuardImpl(device.type()).setDevice(device);
    } catch (const c10::Error& error) {
      throw ConfigError("option place.device = cuda: " + device.str() +
                        " does not answer: " + error.what_without_backtrace());
    }
  }
  current() = device;
}

const c10::Device& compute_device() { return current(); }

}  // namespace sono
