#pragma once
// Plain ustar archives whose bytes depend on the members alone: mtime, uid and
// gid 0, mode 0644, no user names. Written in memory, read from a file; both
// by libarchive.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct archive;

namespace sono {

struct TarMember {
  std::string name;
  std::string bytes;
  std::int64_t offset = 0;  // of the first data byte, in an archive of ours
};

// Throws DataError for a name that is empty, absolute, longer than 100 bytes,
// or has a "." or ".." component, a backslash or a control character.
// `where` starts the message.
void check_member_name(std::string_view name, const std::string& where);

// Builds one archive in memory.
class TarWriter {
 public:
  TarWriter();
  ~TarWriter();
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;

  // Appends a member and returns the offset of its first data byte.
  std::int64_t add(const std::string& name, std::string_view bytes);
  // The whole archive; call once.
  std::string finish();

 private:
  std::string bytes_;
  ::archive* archive_;
};

// All members in order. DataError naming the file when it is truncated or not a
// tar, when a member is not a regular file or is larger than
// `max_member_bytes`, or when its name fails check_member_name. Nothing is ever
// written to disk.
std::vector<TarMember> read_tar(const std::filesystem::path& path,
                                std::int64_t max_member_bytes = 1 << 28);

}  // namespace sono
