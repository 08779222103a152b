#pragma once
// A device for tests on machines without one. Its memory cannot be read or
// written by the host, its operations take no tensors of the host (but single
// numbers), and every kernel is the CPU's, so that results must have the CPU's
// bits. It takes the place of a device type that this LibTorch knows but has no
// kernels for.

#include <ATen/ATen.h>

namespace sono {

// Registers it, once a process.
at::Device fake_device();

}  // namespace sono
