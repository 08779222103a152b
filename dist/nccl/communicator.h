#pragma once
// Ranks with one GPU each; CUDA tensors, on LibTorch's current stream of the
// current device. NCCL is started without blocking and polled, so that a rank
// that never comes is a CommError and not a hang.

#include <memory>
#include <string>
#include <vector>

#include "dist/communicator.h"

namespace sono {

// True when this program was built with NCCL and CUDA to link against.
bool nccl_available();

// "2.28.9": as compiled against, and as found when the program runs; empty
// where the program was built without NCCL.
struct NcclVersions {
  std::string built, running;
};
NcclVersions nccl_versions();

// The ids of the GPUs that this process may use, in CUDA's order; empty without
// driver or GPU, or where the program was built without NCCL.
std::vector<std::string> cuda_devices();

// Model, compute capability and CUDA version of a GPU, as one word that differs
// where results may. ConfigError without such a GPU.
std::string gpu_kind(int device_index);

// `bootstrap` carries NCCL's id and stays with the caller. ConfigError where
// the program was built without NCCL. `device_index` is this rank's GPU; no
// two ranks may share one. All ranks of `bootstrap` must call.
std::unique_ptr<Communicator> make_nccl_communicator(
    Communicator& bootstrap, int device_index, double deadline_seconds = 600);

}  // namespace sono
