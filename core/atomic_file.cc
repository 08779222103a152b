#include "core/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/error.h"

namespace sono {
namespace {

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

void write_all(int fd, std::string_view bytes,
               const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_file_error(path, "write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Makes the file `temporary` of `bytes` that are to become `path`.
void write_whole(const std::filesystem::path& temporary, std::string_view bytes,
                 const std::filesystem::path& path) {
  Descriptor descriptor(temporary, O_WRONLY | O_CREAT | O_TRUNC);
  if (descriptor.get() < 0) throw_file_error(path, "open", errno);
  write_all(descriptor.get(), bytes, path);
  if (::fsync(descriptor.get()) != 0) throw_file_error(path, "fsync", errno);
}

void rename_durably(const std::filesystem::path& from,
                    const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    throw_file_error(to, "rename", errno);
  }
  sync_folder(to.parent_path());
}

}  // namespace

void throw_file_error(const std::filesystem::path& path,
                      const std::string& what, int error_number) {
  const std::string text =
      path.string() + ": " + what + " failed: " + std::strerror(error_number);
  if (error_number == ENOSPC || error_number == EDQUOT) {
    throw ResourceError(text + "; free some space and run the command again");
  }
  throw DataError(text);
}

void sync_folder(const std::filesystem::path& folder) {
  Descriptor descriptor(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  // Some file systems refuse fsync on folders; the rename is still atomic.
  if (descriptor.get() >= 0) (void)::fsync(descriptor.get());
}

std::filesystem::path temporary_name(const std::filesystem::path& path) {
  static std::atomic<int> counter{0};
  char host[64] = "host";
  (void)::gethostname(host, sizeof(host) - 1);
  return path.parent_path() / ("." + path.filename().string() + "." + host +
                               "." + std::to_string(::getpid()) + "." +
                               std::to_string(counter++) + ".tmp");
}

void commit_file(const std::filesystem::path& temporary,
                 const std::filesystem::path& path) {
  {
    Descriptor descriptor(temporary, O_RDONLY);
    if (descriptor.get() < 0 || ::fsync(descriptor.get()) != 0) {
      throw_file_error(temporary, "fsync", errno);
    }
  }
  rename_durably(temporary, path);
}

void write_file_atomic(const std::filesystem::path& path,
                       std::string_view bytes) {
  const auto temporary = temporary_name(path);
  try {
    write_whole(temporary, bytes, path);
    rename_durably(temporary, path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

bool create_file_atomic(const std::filesystem::path& path,
                        std::string_view bytes) {
  const auto temporary = temporary_name(path);
  try {
    write_whole(temporary, bytes, path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  const bool made = ::link(temporary.c_str(), path.c_str()) == 0;
  const int error_number = errno;
  ::unlink(temporary.c_str());
  if (!made && error_number != EEXIST) {
    throw_file_error(path, "creating the file", error_number);
  }
  sync_folder(path.parent_path());
  return made;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw DataError(path.string() + ": cannot be read");
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (file.bad()) throw DataError(path.string() + ": read error");
  return std::move(bytes).str();
}

void make_directories(const std::filesystem::path& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code) throw_file_error(path, "creating the folder", code.value());
}

}  // namespace sono
