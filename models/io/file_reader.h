#pragma once
// Bounded reads from a file of untrusted content.

#include <cstdint>
#include <filesystem>
#include <string>

namespace sono {

// Movable neither nor copyable; one thread at a time.
class FileReader {
 public:
  // DataError when the file is missing or unreadable.
  explicit FileReader(const std::filesystem::path& path);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  std::uint64_t size_bytes() const { return size_bytes_; }
  std::string name() const { return path_.string(); }

  // Exactly `count` bytes from `offset`; DataError beyond the end.
  void read(std::uint64_t offset, void* out, std::uint64_t count) const;
  std::string read(std::uint64_t offset, std::uint64_t count) const;

 private:
  void check_range(std::uint64_t offset, std::uint64_t count) const;

  std::filesystem::path path_;
  int fd_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace sono
