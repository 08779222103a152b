#pragma once
// A weight file in memory as the system maps it: nothing is read until it is
// used, and processes on one machine share the pages.

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace sono {

// The mapping is private: a write to a tensor changes a copy of its page and
// never the file. The file must not be shortened or written while it is mapped;
// replacing it by rename is safe. Any thread.
class MappedFile : public std::enable_shared_from_this<MappedFile> {
 public:
  // DataError when the file is missing, unreadable or empty.
  static std::shared_ptr<MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {data_, size_bytes_}; }
  const std::string& name() const { return name_; }

  // A contiguous tensor over the bytes from `offset`, which keeps the mapping
  // alive; a copy where its elements would not be aligned. DataError where the
  // tensor would leave the file.
  at::Tensor tensor(std::uint64_t offset, at::IntArrayRef shape,
                    at::ScalarType type);

 private:
  MappedFile(std::string name, char* data, std::uint64_t size_bytes)
      : name_(std::move(name)), data_(data), size_bytes_(size_bytes) {}

  std::string name_;
  char* data_;
  std::uint64_t size_bytes_;
};

}  // namespace sono
