#pragma once
// Files that appear whole or not at all: write to a temporary name beside the
// target, fsync, rename. A full disk is a ResourceError that names the file,
// and the target keeps its old content.

#include <filesystem>
#include <string>
#include <string_view>

namespace sono {

void write_file_atomic(const std::filesystem::path& path,
                       std::string_view bytes);

// The same, only if there is no such file yet; false when there is. A hard link
// from a finished file is the exclusive rename that NFS has too.
bool create_file_atomic(const std::filesystem::path& path,
                        std::string_view bytes);

// fsync of a finished file at `temporary`, then rename to `path`, then fsync
// of the folder.
void commit_file(const std::filesystem::path& temporary,
                 const std::filesystem::path& path);

// fsync of a folder, so that names in it last; where its file system can.
void sync_folder(const std::filesystem::path& folder);

// A name beside `path` that no other process uses.
std::filesystem::path temporary_name(const std::filesystem::path& path);

// The whole file; DataError when missing or unreadable.
std::string read_file(const std::filesystem::path& path);

// mkdir -p; ConfigError or ResourceError with the path.
void make_directories(const std::filesystem::path& path);

// ResourceError for ENOSPC/EDQUOT, DataError otherwise, naming the path.
[[noreturn]] void throw_file_error(const std::filesystem::path& path,
                                   const std::string& what, int error_number);

}  // namespace sono
