#pragma once
// An open shard: samples by their place in the index, each member against its
// checksum.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "data/shards/shard_index.h"

namespace sono {

// The three files of a sample, as views of one buffer.
struct SampleBytes {
  std::unique_ptr<char[]> buffer;
  std::string_view image, mask, provenance;
};

// Safe to use from many threads.
class TarFile {
 public:
  // DataError when it cannot be opened.
  explicit TarFile(std::filesystem::path path);
  ~TarFile();
  TarFile(const TarFile&) = delete;
  TarFile& operator=(const TarFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // One pread: the members of a sample stand in a row. DataError naming the
  // file and the member when it is truncated or damaged.
  SampleBytes read(const SampleEntry& sample, const std::string& key) const;
  // Asks the kernel to read the file ahead.
  void read_ahead() const;

 private:
  std::filesystem::path path_;
  int fd_;
};

}  // namespace sono
