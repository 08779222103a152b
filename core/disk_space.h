#pragma once
// What a file system is and how much room this user has on it.

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>

namespace sono {

struct DiskSpace {
  static constexpr std::int64_t kUnlimited =
      std::numeric_limits<std::int64_t>::max();

  std::string type;  // "ext4", "nfs4", "lustre", ...
  std::int64_t total_bytes = 0;
  // What this user may still write: free blocks, or less by a quota.
  std::int64_t free_bytes = 0;
  // Likewise new files; kUnlimited where the file system does not count them.
  std::int64_t free_files = 0;
  bool quota = false;  // a quota of this user or group is the narrower bound
};

// Of the file system that holds `path`, or the nearest parent that exists.
// Quotas are seen where the kernel keeps them (ext4, XFS, ...); those of a
// server behind NFS or Lustre are not. DataError when it cannot be asked.
DiskSpace disk_space(const std::filesystem::path& path);

// "12.3 GB".
std::string bytes_text(double bytes);

}  // namespace sono
