#pragma once
// A cache of byte strings by content key, in few files: append-only packs.
//
//   pack-HOST-3.bin   values, one after the other
//   pack-HOST-3.idx   one line a value: line checksum, offset, size, CRC-32,
//   key
//
// Each open cache that puts holds one pack of its own by a file lock; packs of
// writers that are gone are taken up again by the same host. A line is written
// after its value is on the disk, so a kill loses at most the last values. A
// torn or damaged entry is a warning and counts as missing: it is made again.
// The packs may be deleted at any time; nothing in a result depends on them.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/option.h"

namespace sono {

struct PackCacheConfig {
  // Oldest packs are dropped once the cache is larger, MiB; 0: no bound. The
  // pack being written stays, so the bound holds to within one pack.
  std::int64_t max_mib = 0;
  // A new pack is begun when one is larger, MiB.
  std::int64_t pack_mib = 1024;

  void validate() const;
};

void describe(OptionTable& table, PackCacheConfig& config);

// Safe to use from many threads; any number of processes may share the folder.
class PackCache {
 public:
  // Makes the folder and reads the indexes.
  explicit PackCache(std::filesystem::path folder,
                     const PackCacheConfig& config = {});
  // Flushes; errors are logged.
  ~PackCache();
  PackCache(const PackCache&) = delete;
  PackCache& operator=(const PackCache&) = delete;

  // The value as put, or none when unknown (see `refresh`), damaged or dropped.
  std::optional<std::string> get(const std::string& key);
  bool has(const std::string& key) const;
  // Stores a value; a known key is left as it is. The key is 1 to 256 printable
  // characters without space and should be a hash of all that decides the
  // value. ResourceError when the disk is full.
  void put(const std::string& key, std::string_view bytes);
  // Makes all values put so far durable and visible to others. Happens by
  // itself after 8 MiB or a second.
  void flush();
  // Sees what other writers have flushed meanwhile.
  void refresh();
  std::int64_t size() const;

 private:
  struct Pack;
  struct Writer;
  struct Place {
    std::shared_ptr<Pack> pack;
    std::int64_t offset = 0;
    std::int64_t size_bytes = 0;
    std::uint32_t crc = 0;
  };

  void refresh_locked();
  void read_index(const std::filesystem::path& index);
  void add_line(const std::shared_ptr<Pack>& pack, std::string_view line);
  void open_writer();
  void flush_locked();
  void drop_oldest();

  std::filesystem::path folder_;
  PackCacheConfig config_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Pack>> packs_;  // by stem
  // More than one place after a damaged value was made again; newest last.
  std::unordered_map<std::string, std::vector<Place>> places_;
  std::unique_ptr<Writer> writer_;
};

// Reads every value of every pack. DataError that names the first damaged pack
// and key. A torn tail is no damage.
void verify_pack_cache(const std::filesystem::path& folder);

}  // namespace sono
