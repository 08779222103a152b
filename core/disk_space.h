#pragma once
// Room on a file system, for jobs that had better wait than fail.

#include <cstdint>
#include <filesystem>

namespace sono {

// Bytes that this user may still write there; none (-1) where the file system
// does not say. `path` must exist.
std::int64_t free_bytes(const std::filesystem::path& path);

}  // namespace sono
