#include "data/shards/tar_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/atomic_file.h"
#include "core/error.h"

namespace sono {

TarFile::TarFile(std::filesystem::path path)
    : path_(std::move(path)), fd_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (fd_ < 0) throw_file_error(path_, "open", errno);
}

TarFile::~TarFile() { ::close(fd_); }

void TarFile::read_ahead() const {
  (void)::posix_fadvise(fd_, 0, 0, POSIX_FADV_WILLNEED);
}

SampleBytes TarFile::read(const SampleEntry& sample,
                          const std::string& key) const {
  const MemberEntry* members[] = {&sample.image, &sample.mask,
                                  &sample.provenance};
  std::int64_t begin = sample.image.offset, end = begin;
  for (const MemberEntry* member : members) {
    begin = std::min(begin, member->offset);
    end = std::max(end, member->offset + member->size_bytes);
  }
  SampleBytes bytes;
  const auto size_bytes = static_cast<std::size_t>(end - begin);
  bytes.buffer = std::make_unique_for_overwrite<char[]>(size_bytes);
  std::size_t filled = 0;
  while (filled < size_bytes) {
    const ssize_t got =
        ::pread(fd_, bytes.buffer.get() + filled, size_bytes - filled,
                begin + static_cast<std::int64_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_file_error(path_, "read", errno);
    if (got == 0) {
      throw DataError(path_.string() + ": truncated in sample " + key);
    }
    filled += static_cast<std::size_t>(got);
  }
  const auto checked = [&](const MemberEntry& member, const char* ending) {
    const auto text =
        std::string_view(bytes.buffer.get(), size_bytes)
            .substr(static_cast<std::size_t>(member.offset - begin),
                    static_cast<std::size_t>(member.size_bytes));
    if (crc32(text.data(), text.size()) != member.crc) {
      throw DataError(path_.string() + ": " + key + ending +
                      " is damaged (wrong checksum)");
    }
    return text;
  };
  bytes.image = checked(sample.image, ".image.png");
  bytes.mask = checked(sample.mask, ".mask.png");
  bytes.provenance = checked(sample.provenance, ".json");
  return bytes;
}

}  // namespace sono
