#include "tests/bench/gloo_group.h"

#include <cstdlib>
#include <string>
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#define USE_C10D_GLOO 1
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "core/error.h"

namespace sono::bench {
namespace {

std::filesystem::path make_temporary_folder() {
  std::string path =
      (std::filesystem::temp_directory_path() / "bench-gloo-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) {
    throw ResourceError(path +
                        ": cannot be made; set TMPDIR to a folder that "
                        "can be written");
  }
  return path;
}

}  // namespace

GlooGroup::GlooGroup(Communicator& comm) {
  run_together(comm, [&] {
    if (comm.rank() == 0) folder_ = make_temporary_folder();
  });
  const std::string file =
      broadcast_string(comm, (folder_ / "rendezvous").string());
  const auto store =
      c10::make_intrusive<c10d::FileStore>(file, comm.world_size());
  const auto backend = c10::make_intrusive<c10d::ProcessGroupGloo>(
      store, comm.rank(), comm.world_size(),
      c10d::ProcessGroupGloo::Options::create_default());
  group_ = c10::make_intrusive<c10d::ProcessGroup>(store, comm.rank(),
                                                   comm.world_size());
  group_->setBackend(at::kCPU, c10d::ProcessGroup::BackendType::GLOO, backend);
  group_->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
}

GlooGroup::~GlooGroup() {
  group_.reset();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

void GlooGroup::all_reduce(const at::Tensor& tensor) const {
  std::vector<at::Tensor> tensors{tensor};
  group_->allreduce(tensors)->wait();
}

}  // namespace sono::bench
