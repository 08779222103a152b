#include "core/disk_space.h"

#include <sys/statvfs.h>

namespace sono {

std::int64_t free_bytes(const std::filesystem::path& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return -1;
  return static_cast<std::int64_t>(status.f_bavail) *
         static_cast<std::int64_t>(status.f_frsize);
}

}  // namespace sono
