#include "core/disk_space.h"

#include <sys/quota.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>

#include "core/atomic_file.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

fs::path nearest_existing(const fs::path& path) {
  fs::path place = fs::absolute(path).lexically_normal();
  std::error_code ignored;
  while (!fs::exists(place, ignored) && place.has_relative_path()) {
    place = place.parent_path();
  }
  return place;
}

struct Mount {
  std::string point, type, device;
};

// The mount whose point is the longest prefix of `path`.
std::optional<Mount> mount_of(const fs::path& path) {
  std::ifstream lines("/proc/self/mounts");
  std::optional<Mount> found;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Mount mount;
    words >> mount.device >> mount.point >> mount.type;
    const auto rest = path.lexically_relative(mount.point);
    if (rest.empty() || *rest.begin() == "..") continue;
    if (!found || mount.point.size() >= found->point.size()) found = mount;
  }
  return found;
}

void apply_quota(const Mount& mount, int kind, int id, DiskSpace& space) {
  dqblk quota = {};
  if (::quotactl(QCMD(Q_GETQUOTA, kind), mount.device.c_str(), id,
                 reinterpret_cast<caddr_t>(&quota)) != 0) {
    return;
  }
  const auto narrow = [&](std::uint64_t limit, std::uint64_t used,
                          std::int64_t& free) {
    if (limit == 0) return;
    const auto left =
        static_cast<std::int64_t>(limit > used ? limit - used : 0);
    if (left >= free) return;
    free = left;
    space.quota = true;
  };
  // Limits count blocks of 1024 bytes.
  narrow(quota.dqb_bhardlimit * 1024, quota.dqb_curspace, space.free_bytes);
  narrow(quota.dqb_ihardlimit, quota.dqb_curinodes, space.free_files);
}

}  // namespace

DiskSpace disk_space(const fs::path& path) {
  const fs::path place = nearest_existing(path);
  struct statvfs room = {};
  if (::statvfs(place.c_str(), &room) != 0) {
    throw_file_error(place, "asking for free space", errno);
  }
  DiskSpace space;
  space.total_bytes = static_cast<std::int64_t>(room.f_blocks * room.f_frsize);
  space.free_bytes = static_cast<std::int64_t>(room.f_bavail * room.f_frsize);
  // btrfs and others make inodes as they go and count none.
  space.free_files = room.f_files == 0
                         ? DiskSpace::kUnlimited
                         : static_cast<std::int64_t>(room.f_favail);
  const auto mount = mount_of(fs::canonical(place));
  if (!mount) return space;
  space.type = mount->type;
  apply_quota(*mount, USRQUOTA, static_cast<int>(::getuid()), space);
  apply_quota(*mount, GRPQUOTA, static_cast<int>(::getgid()), space);
  return space;
}

std::string bytes_text(double bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < std::size(kUnits); ++unit) bytes /= 1000;
  char text[32];
  std::snprintf(text, sizeof(text), unit == 0 ? "%.0f %s" : "%.3g %s", bytes,
                kUnits[unit]);
  return text;
}

}  // namespace sono
