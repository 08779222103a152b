#pragma once
// The bytes of a safetensors file that is not written yet: any range of it can
// be asked for, by any rank, without building the whole.

#include <cstdint>
#include <string>
#include <vector>

#include "dist/layout.h"

namespace sono {

class FileImage {
 public:
  // fp32 tensors; they stand in the file sorted by name, row-major, without
  // gaps, after a header padded to 4096 bytes. The tensors must not change
  // while the image is in use; those on a device are copied to the host.
  explicit FileImage(const NamedTensors& tensors);

  std::uint64_t size() const { return size_; }
  // Bytes [begin, end), end <= size().
  std::string bytes(std::uint64_t begin, std::uint64_t end) const;

 private:
  struct Segment {
    std::uint64_t begin;
    std::uint64_t end;
    at::Tensor data;  // contiguous, on the host
  };
  std::string header_;
  std::vector<Segment> segments_;  // by position
  std::uint64_t size_ = 0;
};

}  // namespace sono
