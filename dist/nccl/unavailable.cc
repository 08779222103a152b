// Stands in for communicator.cc where the NCCL library is not installed.

#include "core/error.h"
#include "dist/nccl/communicator.h"

namespace sono {

bool nccl_available() { return false; }

NcclVersions nccl_versions() { return {}; }

std::vector<std::string> cuda_devices() { return {}; }

std::string gpu_kind(int) {
  throw ConfigError("this program was built without CUDA");
}

std::unique_ptr<Communicator> make_nccl_communicator(Communicator&, int,
                                                     double) {
  throw ConfigError(
      "this program was built without NCCL; install nvidia-nccl-cu13==2.28.9 "
      "with launch/setup, configure and build again");
}

}  // namespace sono
