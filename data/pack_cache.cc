#include "data/pack_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>
#include <tuple>

#include "core/atomic_file.h"
#include "core/check.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/log.h"

namespace sono {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kMib = 1 << 20;
constexpr std::int64_t kFlushBytes = 8 * kMib;
constexpr std::chrono::seconds kFlushInterval{1};
constexpr int kMaxPacksPerHost = 100000;

// One index line without its checksum.
struct IndexLine {
  std::int64_t offset = 0;
  std::int64_t size_bytes = 0;
  std::uint32_t crc = 0;
  std::string key;
};

std::string line_text(const IndexLine& line) {
  const std::string body = std::to_string(line.offset) + " " +
                           std::to_string(line.size_bytes) + " " +
                           std::to_string(line.crc) + " " + line.key;
  return std::to_string(crc32(body.data(), body.size())) + " " + body + "\n";
}

// None when the line is damaged.
std::optional<IndexLine> parse_line(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::string_view body = text.substr(space + 1);
  if (text.substr(0, space) !=
      std::to_string(crc32(body.data(), body.size()))) {
    return std::nullopt;
  }
  IndexLine line;
  std::istringstream words{std::string(body)};
  if (!(words >> line.offset >> line.size_bytes >> line.crc >> line.key)) {
    return std::nullopt;
  }
  return line;
}

void check_key(const std::string& key) {
  const bool good = !key.empty() && key.size() <= 256 &&
                    std::all_of(key.begin(), key.end(),
                                [](char c) { return c > ' ' && c < 127; });
  SONO_CHECK(good, "bad cache key \"" << key << "\"");
}

void append_all(int fd, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_file_error(path, "write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::int64_t size_of(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? status.st_size : 0;
}

// All bytes at `offset`, or none when the file ends before.
std::optional<std::string> read_at(int fd, std::int64_t offset,
                                   std::int64_t size_bytes) {
  std::string bytes(static_cast<std::size_t>(size_bytes), '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got =
        ::pread(fd, bytes.data() + filled, bytes.size() - filled,
                offset + static_cast<std::int64_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

// The offset after the last whole line of an index.
std::int64_t whole_lines_end(int fd) {
  const auto text = read_at(fd, 0, size_of(fd));
  if (!text) return 0;
  const auto last = text->rfind('\n');
  return last == std::string::npos ? 0 : static_cast<std::int64_t>(last) + 1;
}

std::string host_name() {
  char host[64] = "host";
  (void)::gethostname(host, sizeof(host) - 1);
  std::string name = host;
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

void truncate_at(int fd, std::int64_t size_bytes, const fs::path& path) {
  if (::ftruncate(fd, size_bytes) != 0)
    throw_file_error(path, "truncate", errno);
}

}  // namespace

// A pack as read: its values' file and how far its index is known.
struct PackCache::Pack {
  fs::path values;
  fs::path index;
  std::int64_t index_read = 0;  // bytes
  int fd = -1;                  // opened at first use

  ~Pack() {
    if (fd >= 0) ::close(fd);
  }
  bool open() {
    if (fd < 0) fd = ::open(values.c_str(), O_RDONLY | O_CLOEXEC);
    return fd >= 0;
  }
};

// The pack being written. The lock on the index is held until destruction.
struct PackCache::Writer {
  std::shared_ptr<Pack> pack;
  int values_fd = -1;
  int index_fd = -1;
  std::int64_t end = 0;  // size of the values
  std::string pending;   // index lines whose values are not yet durable
  std::int64_t pending_bytes = 0;
  Clock::time_point flushed = Clock::now();

  ~Writer() {
    if (values_fd >= 0) ::close(values_fd);
    if (index_fd >= 0) ::close(index_fd);
  }

  // Locks the pack with this stem; false when another writer has it.
  bool lock(const fs::path& folder, const std::string& stem) {
    pack = std::make_shared<Pack>();
    pack->values = folder / (stem + ".bin");
    pack->index = folder / (stem + ".idx");
    constexpr int kFlags = O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC;
    index_fd = ::open(pack->index.c_str(), kFlags, 0666);
    if (index_fd < 0) throw_file_error(pack->index, "open", errno);
    struct stat by_name {};
    struct stat by_fd {};
    // Unlinked between the open and the lock: not a pack any more.
    return ::flock(index_fd, LOCK_EX | LOCK_NB) == 0 &&
           ::fstat(index_fd, &by_fd) == 0 &&
           ::stat(pack->index.c_str(), &by_name) == 0 &&
           by_fd.st_ino == by_name.st_ino;
  }

  // Cuts a torn index line off, and opens the values for appending.
  void recover() {
    truncate_at(index_fd, whole_lines_end(index_fd), pack->index);
    constexpr int kFlags = O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC;
    values_fd = ::open(pack->values.c_str(), kFlags, 0666);
    if (values_fd < 0) throw_file_error(pack->values, "open", errno);
    end = size_of(values_fd);
  }
};

void PackCacheConfig::validate() const {
  check_range("cache.max_mib", static_cast<double>(max_mib), 0, 1e9);
  check_range("cache.pack_mib", static_cast<double>(pack_mib), 1, 1e6);
}

void describe(OptionTable& table, PackCacheConfig& config) {
  table.add("cache.max_mib", &config.max_mib, OptionKind::kSpeed,
            "drop the oldest packs of a cache larger than this, MiB; 0: never");
  table.add("cache.pack_mib", &config.pack_mib, OptionKind::kSpeed,
            "size at which a cache begins a new pack, MiB");
}

PackCache::PackCache(fs::path folder, const PackCacheConfig& config)
    : folder_(std::move(folder)), config_(config) {
  config.validate();
  make_directories(folder_);
  refresh();
}

PackCache::~PackCache() {
  try {
    flush();
  } catch (const std::exception& error) {
    spdlog::warn("{}: the last values are lost: {}", folder_.string(),
                 error.what());
  }
}

std::optional<std::string> PackCache::get(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(key);
  if (found == places_.end()) return std::nullopt;
  for (auto& places = found->second; !places.empty(); places.pop_back()) {
    const Place& place = places.back();
    std::optional<std::string> bytes;
    if (place.pack->open()) {
      bytes = read_at(place.pack->fd, place.offset, place.size_bytes);
    }
    if (bytes && crc32(bytes->data(), bytes->size()) == place.crc) return bytes;
    spdlog::warn("{}: the cached value of {} is damaged or gone",
                 place.pack->values.string(), key);
  }
  places_.erase(found);
  return std::nullopt;
}

bool PackCache::has(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  return places_.contains(key);
}

std::int64_t PackCache::size() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(places_.size());
}

void PackCache::put(const std::string& key, std::string_view bytes) {
  check_key(key);
  const std::lock_guard lock(mutex_);
  if (places_.contains(key)) return;
  if (!writer_) open_writer();
  const auto size_bytes = static_cast<std::int64_t>(bytes.size());
  const IndexLine line{writer_->end, size_bytes,
                       crc32(bytes.data(), bytes.size()), key};
  try {
    append_all(writer_->values_fd, bytes, writer_->pack->values);
  } catch (...) {
    writer_->end = size_of(writer_->values_fd);  // part of it may stand there
    throw;
  }
  writer_->end += size_bytes;
  writer_->pending += line_text(line);
  writer_->pending_bytes += size_bytes;
  places_[key].push_back({writer_->pack, line.offset, size_bytes, line.crc});
  if (writer_->pending_bytes >= kFlushBytes ||
      Clock::now() - writer_->flushed >= kFlushInterval) {
    flush_locked();
  }
  if (writer_->end >= config_.pack_mib * kMib) {
    flush_locked();
    writer_.reset();
  }
}

void PackCache::flush() {
  const std::lock_guard lock(mutex_);
  flush_locked();
}

void PackCache::flush_locked() {
  if (!writer_ || writer_->pending.empty()) return;
  if (::fdatasync(writer_->values_fd) != 0) {
    throw_file_error(writer_->pack->values, "fsync", errno);
  }
  const std::string lines = std::move(writer_->pending);
  writer_->pending.clear();
  writer_->pending_bytes = 0;
  writer_->flushed = Clock::now();
  append_all(writer_->index_fd, lines, writer_->pack->index);
}

void PackCache::refresh() {
  const std::lock_guard lock(mutex_);
  refresh_locked();
}

void PackCache::refresh_locked() {
  std::vector<fs::path> indexes;
  for (const auto& file : fs::directory_iterator(folder_)) {
    if (file.path().extension() == ".idx") indexes.push_back(file.path());
  }
  std::sort(indexes.begin(), indexes.end());
  for (const auto& index : indexes) read_index(index);
}

// Reads the whole lines that the index has gained.
void PackCache::read_index(const fs::path& index) {
  auto& pack = packs_[index.stem().string()];
  if (!pack) {
    pack = std::make_shared<Pack>();
    pack->index = index;
    pack->values = fs::path(index).replace_extension(".bin");
  }
  const int fd = ::open(index.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;  // dropped meanwhile
  const std::int64_t gained = size_of(fd) - pack->index_read;
  const auto text =
      gained > 0 ? read_at(fd, pack->index_read, gained) : std::nullopt;
  ::close(fd);
  if (!text) return;
  std::size_t start = 0;
  for (auto end = text->find('\n'); end != std::string::npos;
       end = text->find('\n', start)) {
    add_line(pack, std::string_view(*text).substr(start, end - start));
    start = end + 1;
  }
  pack->index_read += static_cast<std::int64_t>(start);
}

void PackCache::add_line(const std::shared_ptr<Pack>& pack,
                         std::string_view line) {
  const auto parsed = parse_line(line);
  if (!parsed) {
    spdlog::warn("{}: skipping a damaged line", pack->index.string());
    return;
  }
  auto& places = places_[parsed->key];
  const bool known = std::any_of(  // our own values come back by the index
      places.begin(), places.end(), [&](const Place& place) {
        return place.offset == parsed->offset &&
               place.pack->values == pack->values;
      });
  if (known) return;
  places.push_back({pack, parsed->offset, parsed->size_bytes, parsed->crc});
}

// Begins to write, after making room for it if the cache is bounded.
// Takes up the first pack of this host that nobody writes and that has room.
// Other hosts' packs are left alone, since file locks may not reach them.
void PackCache::open_writer() {
  drop_oldest();
  const std::string prefix = "pack-" + host_name() + "-";
  for (int number = 0; number < kMaxPacksPerHost; ++number) {
    auto writer = std::make_unique<Writer>();
    if (!writer->lock(folder_, prefix + std::to_string(number))) continue;
    writer->recover();
    if (writer->end >= config_.pack_mib * kMib) continue;
    writer_ = std::move(writer);
    return;
  }
  throw ResourceError(folder_.string() +
                      ": too many cache packs; remove the "
                      "folder, it will be made again");
}

// Deletes the packs written longest ago until the bound holds; not locked ones.
void PackCache::drop_oldest() {
  if (config_.max_mib == 0) return;
  struct Candidate {
    fs::file_time_type time;
    fs::path index;
    std::int64_t size_bytes;
  };
  std::error_code code;
  std::vector<Candidate> candidates;
  std::int64_t total_bytes = 0;
  for (const auto& file : fs::directory_iterator(folder_, code)) {
    if (file.path().extension() != ".bin") continue;
    const auto size_bytes = static_cast<std::int64_t>(file.file_size(code));
    candidates.push_back({file.last_write_time(code),
                          fs::path(file.path()).replace_extension(".idx"),
                          size_bytes});
    total_bytes += size_bytes;
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) {
              return std::tie(a.time, a.index) < std::tie(b.time, b.index);
            });
  for (const auto& candidate : candidates) {
    if (total_bytes <= config_.max_mib * kMib) return;
    Writer writer;
    if (!writer.lock(folder_, candidate.index.stem().string())) continue;
    fs::remove(candidate.index, code);
    fs::remove(fs::path(candidate.index).replace_extension(".bin"), code);
    total_bytes -= candidate.size_bytes;
  }
}

void verify_pack_cache(const fs::path& folder) {
  for (const auto& file : fs::directory_iterator(folder)) {
    if (file.path().extension() != ".idx") continue;
    const fs::path values = fs::path(file.path()).replace_extension(".bin");
    const int fd = ::open(values.c_str(), O_RDONLY | O_CLOEXEC);
    std::string problem = fd < 0 ? values.string() + ": missing" : "";
    std::istringstream lines(read_file(file.path()));
    for (std::string text; problem.empty() && std::getline(lines, text);) {
      if (lines.eof()) break;  // a torn tail has no newline
      const auto line = parse_line(text);
      if (!line) {
        problem = file.path().string() + ": damaged line";
        break;
      }
      const auto bytes = read_at(fd, line->offset, line->size_bytes);
      if (!bytes || crc32(bytes->data(), bytes->size()) != line->crc) {
        problem =
            values.string() + ": the value of " + line->key + " is damaged";
      }
    }
    if (fd >= 0) ::close(fd);
    if (!problem.empty()) {
      throw DataError(problem + "; remove the cache, it will be made again");
    }
  }
}

}  // namespace sono
