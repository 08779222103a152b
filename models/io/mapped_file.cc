#include "models/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/atomic_file.h"
#include "core/error.h"

namespace sono {
namespace {

// Closes on every way out; the mapping needs no descriptor.
class Descriptor {
 public:
  explicit Descriptor(const std::filesystem::path& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) throw_file_error(path, "open", errno);
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  operator int() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

std::shared_ptr<MappedFile> MappedFile::open(
    const std::filesystem::path& path) {
  const Descriptor fd(path);
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    throw DataError(path.string() + ": not a regular file");
  }
  if (status.st_size == 0) {
    throw DataError(path.string() + ": empty; copy or download it again");
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_NORESERVE, fd, 0);
  if (data == MAP_FAILED) throw_file_error(path, "map", errno);
  // Starts the disk early where the file is not in memory yet; only advice.
  (void)::madvise(data, size, MADV_WILLNEED);
  return std::shared_ptr<MappedFile>(
      new MappedFile(path.string(), static_cast<char*>(data), size));
}

MappedFile::~MappedFile() { ::munmap(data_, size_bytes_); }

at::Tensor MappedFile::tensor(std::uint64_t offset, at::IntArrayRef shape,
                              at::ScalarType type) {
  const std::uint64_t item_bytes = at::elementSize(type);
  std::uint64_t bytes = item_bytes;
  bool outside = offset > size_bytes_;
  for (std::int64_t size : shape) {
    outside |=
        size < 0 || __builtin_mul_overflow(bytes, std::uint64_t(size), &bytes);
  }
  if (outside || bytes > size_bytes_ - offset) {
    throw DataError(name_ + ": a tensor reaches beyond the end of the file");
  }
  char* const begin = data_ + offset;
  const auto options = at::TensorOptions(type);
  if (reinterpret_cast<std::uintptr_t>(begin) % item_bytes != 0) {
    const auto count = static_cast<std::int64_t>(bytes);
    at::Tensor copy = at::empty(shape, options);
    copy.flatten().view(at::kByte).copy_(
        at::from_blob(begin, {count}, at::TensorOptions(at::kByte)));
    return copy;
  }
  return at::from_blob(
      begin, shape, [mapping = shared_from_this()](void*) {}, options);
}

}  // namespace sono
