#pragma once
// How fast a disk takes and gives bytes, and the descriptor it is asked by.

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>

namespace sono {

// A descriptor that closes itself.
class File {
 public:
  File(const std::filesystem::path& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  bool ok() const { return fd_ >= 0; }
  int fd() const { return fd_; }

 private:
  int fd_;
};

// Bytes a second of a new file, fsync included; `seed` tells writers apart.
// DataError or ResourceError.
double write_rate(const std::filesystem::path& path, std::int64_t bytes,
                  std::uint64_t seed);
// Of reading all of a file. DataError.
double read_rate(const std::filesystem::path& path);

}  // namespace sono
