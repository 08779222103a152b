#include "launch/doctor/disk_rates.h"

#include <cerrno>
#include <chrono>
#include <string>

#include "core/atomic_file.h"

namespace sono {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kPieceBytes = 1 << 20;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

double write_rate(const std::filesystem::path& path, std::int64_t bytes,
                  std::uint64_t seed) {
  // Bytes that no file system makes smaller.
  std::string piece(kPieceBytes, 0);
  std::uint64_t state = 88172645463325252ull + seed;
  for (char& c : piece) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    c = static_cast<char>(state);
  }
  const auto start = Clock::now();
  const File file(path, O_CREAT | O_TRUNC | O_WRONLY);
  for (std::int64_t at = 0; at < bytes;
       at += static_cast<std::int64_t>(piece.size())) {
    if (!file.ok() || ::write(file.fd(), piece.data(), piece.size()) !=
                          static_cast<ssize_t>(piece.size())) {
      throw_file_error(path, "writing", errno);
    }
  }
  if (::fsync(file.fd()) != 0) throw_file_error(path, "fsync", errno);
  const double seconds = seconds_since(start);
  // So that whoever reads it on this host asks the disk.
  ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  return static_cast<double>(bytes) / seconds;
}

double read_rate(const std::filesystem::path& path) {
  std::string piece(kPieceBytes, 0);
  const auto start = Clock::now();
  const File file(path, O_RDONLY);
  std::int64_t total = 0;
  for (ssize_t size = 1; size > 0;) {
    size = file.ok() ? ::read(file.fd(), piece.data(), piece.size()) : -1;
    if (size < 0) throw_file_error(path, "reading", errno);
    total += size;
  }
  return static_cast<double>(total) / seconds_since(start);
}

}  // namespace sono
