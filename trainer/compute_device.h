#pragma once
// Where a process computes, and how a GPU has to be set so that equal inputs
// give equal bits.

#include <c10/core/Device.h>

#include <string>

namespace sono {

// "cpu", or "cuda:INDEX" of the devices that this process sees. Makes it the
// current one, with deterministic algorithms, no TF32 and no choice of kernels
// by their speed; an operation without a deterministic kernel is an error from
// now on. Call before anything is computed there. ConfigError where the program
// was built without CUDA or the device does not answer.
void set_compute_device(const c10::Device& device);

// The device that was set; the CPU at first.
const c10::Device& compute_device();

}  // namespace sono
