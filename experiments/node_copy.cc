#include "experiments/node_copy.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/message.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// One folder a user, so that nobody reads what another put there.
fs::path copies_folder() {
  const char* folder = std::getenv("TMPDIR");
  return fs::path(folder != nullptr && *folder != 0 ? folder : "/tmp") /
         ("sonoforge-inputs-" + std::to_string(::getuid()));
}

std::string entry_of(const fs::path& file, const fs::path& name) {
  return name.string() + "\n" + std::to_string(fs::file_size(file)) + "\n" +
         std::to_string(fs::last_write_time(file).time_since_epoch().count()) +
         "\n";
}

// Names, sizes and times; a hash of gigabytes would cost as much as the copy.
std::string key_of(const fs::path& source) {
  std::string all = source.string() + "\n";
  if (!fs::is_directory(source)) {
    return sha256_hex(all + entry_of(source, source.filename()));
  }
  std::map<fs::path, std::string> entries;
  for (const auto& item : fs::recursive_directory_iterator(source)) {
    if (!item.is_regular_file()) continue;
    const fs::path name = item.path().lexically_relative(source);
    entries[name] = entry_of(item.path(), name);
  }
  for (const auto& [name, entry] : entries) all += entry;
  return sha256_hex(all);
}

// Somebody else may have put a folder of that name there.
void refuse_foreign(const fs::path& folder) {
  struct stat status = {};
  if (::lstat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
      status.st_uid == ::getuid() && ::chmod(folder.c_str(), 0700) == 0) {
    return;
  }
  throw DataError(folder.string() +
                  ": not a folder of yours; remove it, or leave "
                  "place.stage_weights away");
}

// Held by one process of the node at a time; the kernel frees that of a killed
// one.
class NodeLock {
 public:
  explicit NodeLock(const fs::path& path)
      : fd_(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW,
                   0600)) {
    if (fd_ < 0 || ::flock(fd_, LOCK_EX) != 0) {
      throw_file_error(path, "locking", errno);
    }
  }
  ~NodeLock() { ::close(fd_); }
  NodeLock(const NodeLock&) = delete;
  NodeLock& operator=(const NodeLock&) = delete;

 private:
  int fd_;
};

// Appears whole or not at all.
void copy_to(const fs::path& source, const fs::path& target) {
  const fs::path temporary = temporary_name(target);
  std::error_code error;
  fs::remove_all(temporary, error);
  fs::copy(source, temporary, fs::copy_options::recursive, error);
  if (!error) fs::rename(temporary, target, error);
  if (!error) return;
  std::error_code ignored;
  fs::remove_all(temporary, ignored);
  throw_file_error(target, "copying " + source.string(), error.value());
}

}  // namespace

fs::path node_copy(const fs::path& source) {
  const fs::path original = fs::canonical(source);
  const fs::path folder = copies_folder();
  make_directories(folder);
  refuse_foreign(folder);
  const std::string key = key_of(original).substr(0, 16);
  const fs::path place = folder / key;
  const NodeLock lock(folder / (key + ".lock"));
  const fs::path copy = place / original.filename();
  if (fs::exists(copy)) return copy;
  make_directories(place);
  copy_to(original, copy);
  log_info("copied " + original.string() + " to " + place.string());
  return copy;
}

fs::path staged_weights(const PlaceConfig& place, const fs::path& source) {
  return place.stage_weights && !source.empty() ? node_copy(source) : source;
}

}  // namespace sono
