#include "models/io/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/atomic_file.h"
#include "core/error.h"

namespace sono {

FileReader::FileReader(const std::filesystem::path& path)
    : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (fd_ < 0) throw_file_error(path, "open", errno);
  struct stat status {};
  const int failed = ::fstat(fd_, &status);
  if (failed != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd_);
    throw DataError(path.string() + ": not a regular file");
  }
  size_bytes_ = static_cast<std::uint64_t>(status.st_size);
}

FileReader::~FileReader() { ::close(fd_); }

void FileReader::check_range(std::uint64_t offset, std::uint64_t count) const {
  if (offset > size_bytes_ || count > size_bytes_ - offset) {
    throw DataError(name() + ": truncated or damaged: wants " +
                    std::to_string(count) + " bytes at " +
                    std::to_string(offset) + " of " +
                    std::to_string(size_bytes_));
  }
}

void FileReader::read(std::uint64_t offset, void* out,
                      std::uint64_t count) const {
  check_range(offset, count);
  constexpr std::uint64_t kChunkBytes = 1u << 30;  // Linux reads under 2 GiB
  auto* bytes = static_cast<char*>(out);
  while (count > 0) {
    const ssize_t got = ::pread(fd_, bytes, std::min(count, kChunkBytes),
                                static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_file_error(path_, "read", errno);
    if (got == 0) throw DataError(name() + ": became shorter while read");
    bytes += got;
    offset += static_cast<std::uint64_t>(got);
    count -= static_cast<std::uint64_t>(got);
  }
}

std::string FileReader::read(std::uint64_t offset, std::uint64_t count) const {
  check_range(offset, count);
  std::string bytes(count, '\0');
  read(offset, bytes.data(), count);
  return bytes;
}

}  // namespace sono
