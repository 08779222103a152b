#pragma once
// PyTorch's own process group over Gloo, the peer of our communicators.

#include <filesystem>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "dist/communicator.h"

namespace sono::bench {

// Connected at construction, through a file that rank 0 puts into the folder of
// temporary files and removes at the end. All ranks must call both.
class GlooGroup {
 public:
  explicit GlooGroup(Communicator& comm);
  ~GlooGroup();
  GlooGroup(const GlooGroup&) = delete;
  GlooGroup& operator=(const GlooGroup&) = delete;

  const c10::intrusive_ptr<c10d::ProcessGroup>& get() const { return group_; }
  // In-place sum over the ranks.
  void all_reduce(const at::Tensor& tensor) const;

 private:
  std::filesystem::path folder_;  // empty on ranks other than 0
  c10::intrusive_ptr<c10d::ProcessGroup> group_;
};

}  // namespace sono::bench
