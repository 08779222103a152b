#include "models/io/zip_archive.h"

#include <algorithm>
#include <string_view>

#include "core/error.h"

namespace sono {
namespace {

// Record layouts: APPNOTE.TXT of PKWARE, sections 4.3.7 to 4.3.16.
constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kLocatorBytes = 20;
constexpr std::uint64_t kEnd64Bytes = 56;
constexpr std::uint64_t kCentralBytes = 46;
constexpr std::uint64_t kLocalBytes = 30;
constexpr std::uint64_t kMaxCommentBytes = 65535;
constexpr std::uint32_t kIn64 = 0xFFFFFFFFu;  // "see the zip64 field"

[[noreturn]] void refuse(const FileReader& file, const std::string& why) {
  throw DataError(file.name() + ": not a usable .pth archive: " + why);
}

// Little-endian fields of one record; refuses the file on reads past its end.
class Fields {
 public:
  Fields(const FileReader& file, std::string_view bytes)
      : file_(file), bytes_(bytes) {}

  std::uint64_t get(std::uint64_t at, int width) const {
    if (at > bytes_.size() || bytes_.size() - at < std::uint64_t(width)) {
      refuse(file_, "a record is cut short");
    }
    std::uint64_t value = 0;
    for (int i = width; i-- > 0;) {
      value = value << 8 | static_cast<std::uint8_t>(bytes_[at + i]);
    }
    return value;
  }
  std::uint32_t u16(std::uint64_t at) const { return get(at, 2); }
  std::uint32_t u32(std::uint64_t at) const { return get(at, 4); }
  std::uint64_t u64(std::uint64_t at) const { return get(at, 8); }
  std::string_view text(std::uint64_t at, std::uint64_t count) const {
    if (at > bytes_.size() || bytes_.size() - at < count) {
      refuse(file_, "a record is cut short");
    }
    return bytes_.substr(at, count);
  }

 private:
  const FileReader& file_;
  std::string_view bytes_;
};

struct Directory {
  std::uint64_t count = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t offset = 0;
};

Directory read_end64(const FileReader& file, std::uint64_t end_offset) {
  if (end_offset < kLocatorBytes) refuse(file, "the zip64 locator is missing");
  const std::string locator =
      file.read(end_offset - kLocatorBytes, kLocatorBytes);
  const Fields at(file, locator);
  if (at.u32(0) != 0x07064b50) refuse(file, "the zip64 locator is missing");
  const std::string record = file.read(at.u64(8), kEnd64Bytes);
  const Fields end(file, record);
  if (end.u32(0) != 0x06064b50) refuse(file, "the zip64 record is missing");
  return {end.u64(32), end.u64(40), end.u64(48)};
}

Directory find_directory(const FileReader& file) {
  const std::uint64_t tail_bytes =
      std::min(file.size_bytes(), kEndBytes + kMaxCommentBytes);
  const std::uint64_t tail_offset = file.size_bytes() - tail_bytes;
  const std::string tail = file.read(tail_offset, tail_bytes);
  const std::size_t found = tail.rfind("PK\x05\x06");
  if (found == std::string::npos) {
    refuse(file, "no zip directory (truncated, or saved by torch before 1.6)");
  }
  const Fields end(file, std::string_view(tail).substr(found));
  if (found + kEndBytes + end.u16(20) != tail.size()) {
    refuse(file, "the zip directory's end is cut short");
  }
  const Directory directory{end.u16(10), end.u32(12), end.u32(16)};
  if (directory.count != 0xFFFF && directory.size_bytes != kIn64 &&
      directory.offset != kIn64) {
    return directory;
  }
  return read_end64(file, tail_offset + found);
}

// Sizes and offset of a directory entry that overflow 32 bits stand, in this
// order, in the extra field with id 1.
void apply_zip64(const Fields& extra, std::uint64_t extra_bytes,
                 std::uint64_t& size, std::uint64_t& stored,
                 std::uint64_t& offset) {
  std::uint64_t at = 0;
  while (at + 4 <= extra_bytes && extra.u16(at) != 1)
    at += 4 + extra.u16(at + 2);
  at += 4;
  for (std::uint64_t* field : {&size, &stored, &offset}) {
    if (*field != kIn64) continue;
    *field = extra.u64(at);
    at += 8;
  }
}

// `local_offset`: where the entry's own header stands; its data follow.
ZipEntry locate(const FileReader& file, const std::string& name,
                std::uint64_t local_offset, std::uint64_t size_bytes) {
  const std::string record = file.read(local_offset, kLocalBytes);
  const Fields local(file, record);
  if (local.u32(0) != 0x04034b50) refuse(file, name + " has no local header");
  const std::uint64_t begin =
      local_offset + kLocalBytes + local.u16(26) + local.u16(28);
  if (begin > file.size_bytes() || size_bytes > file.size_bytes() - begin) {
    refuse(file, name + " reaches beyond the end of the file");
  }
  return {begin, size_bytes};
}

}  // namespace

std::map<std::string, ZipEntry> read_zip_directory(const FileReader& file) {
  const Directory directory = find_directory(file);
  const std::string bytes = file.read(directory.offset, directory.size_bytes);
  const Fields all(file, bytes);
  std::map<std::string, ZipEntry> entries;
  std::uint64_t at = 0, total_bytes = 0;
  for (std::uint64_t i = 0; i < directory.count; ++i) {
    const Fields entry(file, all.text(at, kCentralBytes));
    if (entry.u32(0) != 0x02014b50) refuse(file, "the directory is damaged");
    const std::uint64_t name_bytes = entry.u16(28), extra_bytes = entry.u16(30);
    const std::string name(all.text(at + kCentralBytes, name_bytes));
    if ((entry.u16(8) & 1) || entry.u16(10) != 0) {
      refuse(file, name + " is encrypted or compressed; torch.save stores");
    }
    std::uint64_t stored = entry.u32(20), size = entry.u32(24);
    std::uint64_t offset = entry.u32(42);
    const Fields extra(file,
                       all.text(at + kCentralBytes + name_bytes, extra_bytes));
    apply_zip64(extra, extra_bytes, size, stored, offset);
    if (size != stored) refuse(file, name + " has two different sizes");
    const ZipEntry located = locate(file, name, offset, size);
    total_bytes += size;
    if (total_bytes > file.size_bytes()) refuse(file, "entries overlap");
    if (!entries.emplace(name, located).second) {
      refuse(file, name + " appears twice");
    }
    at += kCentralBytes + name_bytes + extra_bytes + entry.u16(32);
  }
  return entries;
}

}  // namespace sono
