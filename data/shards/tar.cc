#include "data/shards/tar.h"

#include <archive.h>
#include <archive_entry.h>

#include "core/check.h"
#include "core/error.h"

namespace sono {
namespace {

constexpr std::size_t kMaxNameBytes = 100;  // the ustar name field
constexpr std::int64_t kHeaderBytes = 512;

struct EntryDeleter {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using EntryPointer = std::unique_ptr<archive_entry, EntryDeleter>;

struct ReaderDeleter {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using ReaderPointer = std::unique_ptr<archive, ReaderDeleter>;

la_ssize_t append_block(archive*, void* out, const void* data,
                        std::size_t size_bytes) {
  static_cast<std::string*>(out)->append(static_cast<const char*>(data),
                                         size_bytes);
  return static_cast<la_ssize_t>(size_bytes);
}

void check_archive(int result, archive* handle, const std::string& what) {
  SONO_CHECK(result == ARCHIVE_OK,
             what << ": " << archive_error_string(handle));
}

[[noreturn]] void throw_damaged(const std::filesystem::path& path,
                                archive* reader) {
  const char* reason = archive_error_string(reader);
  throw DataError(path.string() + ": not a whole tar archive (" +
                  (reason != nullptr ? reason : "unknown reason") + ")");
}

std::string read_member(archive* reader, std::int64_t size_bytes,
                        const std::filesystem::path& path) {
  std::string bytes(static_cast<std::size_t>(size_bytes), '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const la_ssize_t got =
        archive_read_data(reader, bytes.data() + filled, bytes.size() - filled);
    if (got <= 0) throw_damaged(path, reader);
    filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

bool is_bad_component(std::string_view component) {
  return component.empty() || component == "." || component == "..";
}

}  // namespace

void check_member_name(std::string_view name, const std::string& where) {
  bool bad = name.empty() || name.size() > kMaxNameBytes;
  for (const char c : name) {
    bad = bad || c == '\\' || static_cast<unsigned char>(c) < 0x20;
  }
  for (std::size_t start = 0; !bad && start <= name.size();) {
    const std::size_t end = std::min(name.find('/', start), name.size());
    bad = is_bad_component(name.substr(start, end - start));
    start = end + 1;
  }
  if (bad) {
    throw DataError(where + ": unsafe member name \"" + std::string(name) +
                    "\"; the archive is not one of ours, do not use it");
  }
}

TarWriter::TarWriter() : archive_(archive_write_new()) {
  SONO_CHECK(archive_ != nullptr, "out of memory");
  check_archive(archive_write_set_format_ustar(archive_), archive_, "format");
  // No blocking: every byte is handed over at once, so offsets are known.
  check_archive(archive_write_set_bytes_per_block(archive_, 0), archive_,
                "block size");
  check_archive(archive_write_set_bytes_in_last_block(archive_, 1), archive_,
                "last block");
  check_archive(
      archive_write_open(archive_, &bytes_, nullptr, append_block, nullptr),
      archive_, "open");
}

TarWriter::~TarWriter() {
  if (archive_ != nullptr) archive_write_free(archive_);
}

std::int64_t TarWriter::add(const std::string& name, std::string_view bytes) {
  SONO_CHECK(archive_ != nullptr, "add after finish");
  check_member_name(name, "tar writer");
  EntryPointer entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes.size()));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  archive_entry_set_mtime(entry.get(), 0, 0);
  archive_entry_set_uid(entry.get(), 0);
  archive_entry_set_gid(entry.get(), 0);
  check_archive(archive_write_header(archive_, entry.get()), archive_, name);
  const auto offset = static_cast<std::int64_t>(bytes_.size());
  const la_ssize_t written =
      archive_write_data(archive_, bytes.data(), bytes.size());
  SONO_CHECK_EQ(written, static_cast<la_ssize_t>(bytes.size()));
  return offset;
}

std::string TarWriter::finish() {
  SONO_CHECK(archive_ != nullptr, "finish called twice");
  check_archive(archive_write_close(archive_), archive_, "close");
  archive_write_free(archive_);
  archive_ = nullptr;
  return std::move(bytes_);
}

std::vector<TarMember> read_tar(const std::filesystem::path& path,
                                std::int64_t max_member_bytes) {
  constexpr std::size_t kReadBlockBytes = 1 << 16;
  ReaderPointer reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  if (archive_read_open_filename(reader.get(), path.c_str(), kReadBlockBytes) !=
      ARCHIVE_OK) {
    throw_damaged(path, reader.get());
  }
  std::vector<TarMember> members;
  for (;;) {
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(reader.get(), &entry);
    if (result == ARCHIVE_EOF) return members;
    if (result != ARCHIVE_OK) throw_damaged(path, reader.get());
    const char* raw_name = archive_entry_pathname(entry);
    std::string name = raw_name != nullptr ? raw_name : "";
    check_member_name(name, path.string());
    if (archive_entry_filetype(entry) != AE_IFREG ||
        archive_entry_hardlink(entry) != nullptr) {
      throw DataError(path.string() + ": member " + name +
                      " is not a regular file");
    }
    const std::int64_t size_bytes = archive_entry_size(entry);
    if (size_bytes < 0 || size_bytes > max_member_bytes) {
      throw DataError(path.string() + ": member " + name + " claims " +
                      std::to_string(size_bytes) + " bytes; the limit is " +
                      std::to_string(max_member_bytes));
    }
    const std::int64_t offset =
        archive_read_header_position(reader.get()) + kHeaderBytes;
    members.push_back(
        {std::move(name), read_member(reader.get(), size_bytes, path), offset});
  }
}

}  // namespace sono
