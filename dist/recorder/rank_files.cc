#include "dist/recorder/rank_files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>

namespace sono {
namespace {

namespace fs = std::filesystem;

// Room for a world group and a few others.
constexpr std::size_t kStatusBytes = 4096;

double wall_seconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

fs::path rank_file(const fs::path& folder, int rank, const char* ending) {
  char name[32];
  std::snprintf(name, sizeof(name), "rank-%04d.%s", rank, ending);
  return folder / name;
}

// Copies a ring out of its file, so that what follows looks at one state.
// Aligned for the header's atomics.
std::unique_ptr<std::uint64_t[]> load(int file) {
  static_assert(kRingBytes % sizeof(std::uint64_t) == 0);
  auto bytes =
      std::make_unique<std::uint64_t[]>(kRingBytes / sizeof(std::uint64_t));
  auto* to = reinterpret_cast<char*>(bytes.get());
  for (std::size_t at = 0; at < kRingBytes;) {
    const ssize_t size =
        ::pread(file, to + at, kRingBytes - at, static_cast<off_t>(at));
    if (size <= 0) return nullptr;
    at += static_cast<std::size_t>(size);
  }
  return bytes;
}

bool is_ring(const RingHeader& header) {
  return std::memcmp(header.magic, kRingMagic, sizeof(kRingMagic)) == 0 &&
         header.version == kRingVersion && header.num_records == kRingRecords;
}

// Turns the ring's times into seconds since 1970.
class WallClock {
 public:
  explicit WallClock(const RingHeader& header)
      : offset_ns_(header.anchor_wall_ns - header.anchor_steady_ns) {}
  double operator()(std::int64_t steady_ns) const {
    return static_cast<double>(steady_ns + offset_ns_) / 1e9;
  }

 private:
  std::int64_t offset_ns_;
};

template <std::size_t N>
std::string text(const char (&field)[N]) {
  return std::string(field, ::strnlen(field, N));
}

std::string name_of(const RingHeader& header, unsigned index) {
  if (index >= kRingNames || !header.name[index].ready) return "(unknown)";
  return text(header.name[index].text);
}

RecordedOperation operation_of(const RingHeader& header,
                               const RingRecord& record) {
  const WallClock wall(header);
  RecordedOperation operation;
  operation.group = name_of(header, record.group_and_phase >> 4);
  operation.name = name_of(header, record.operation);
  operation.sequence = record.sequence;
  operation.bytes = record.bytes;
  operation.even_bytes = record.even_bytes;
  operation.step = record.step;
  operation.bucket = record.bucket;
  operation.phase = static_cast<Phase>(record.group_and_phase & 15);
  operation.done = record.done_ns != 0;
  operation.begun = wall(record.enqueued_ns);
  operation.ended = operation.done ? wall(record.done_ns) : 0;
  return operation;
}

// The letter of /proc/PID/stat that follows the name in brackets.
char process_state(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  const auto end = line.rfind(')');
  return end != std::string::npos && end + 2 < line.size() ? line[end + 2]
                                                           : '?';
}

std::string ask_process(const RingHeader& header) {
  if (text(header.host) != host_name() || header.pid_space != pid_space()) {
    return "";
  }
  if (::kill(static_cast<pid_t>(header.pid), 0) != 0 && errno == ESRCH) {
    return "gone";
  }
  switch (process_state(header.pid)) {
    case 'T':
    case 't':
      return "stopped";
    case 'Z':
    case 'X':
      return "gone";
    case '?':
      return "";
    default:
      return "running";
  }
}

RankView header_view(const RingHeader& header) {
  const WallClock wall(header);
  RankView view;
  view.rank = header.rank;
  view.world_size = header.live.world_size;
  view.local_rank = header.local_rank;
  view.pid = header.pid;
  view.host = text(header.host);
  view.job = text(header.job);
  view.device = text(header.device);
  view.build = text(header.build);
  view.shared_folder = text(header.shared_folder);
  view.end = static_cast<RingEnd>(header.live.end.load());
  view.beat = header.live.beat;
  view.beat_time = wall(header.live.beat_ns);
  view.step_deadline = header.step_deadline;
  for (const auto& awaited : header.live.awaited) {
    if (awaited < 0) break;
    view.awaited.push_back(awaited);
  }
  view.progress = header.live.progress;
  view.phase = static_cast<Phase>(header.live.phase.load());
  view.step = header.live.step;
  view.phase_since = wall(header.live.phase_ns);
  view.progress_time = wall(header.live.progress_ns);
  view.seen = wall_seconds();
  view.process = ask_process(header);
  return view;
}

}  // namespace

std::uint64_t pid_space() {
  struct stat info = {};
  return ::stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
}

std::string host_name() {
  char host[64] = "unknown";
  (void)::gethostname(host, sizeof(host) - 1);
  return host;
}

fs::path recorder_folder(const fs::path& run_folder) {
  return run_folder / "recorder";
}
fs::path status_path(const fs::path& folder, int rank) {
  return rank_file(folder, rank, "json");
}
fs::path kept_ring_path(const fs::path& folder, int rank) {
  return rank_file(folder, rank, "ring");
}

std::optional<RankView> read_ring(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  auto view = read_ring(file, path);
  ::close(file);
  return view;
}

std::optional<RankView> read_ring(int file, const fs::path& path) {
  const auto bytes = load(file);
  if (bytes == nullptr) return std::nullopt;
  const auto& header = *reinterpret_cast<const RingHeader*>(bytes.get());
  if (!is_ring(header)) return std::nullopt;
  RankView view = header_view(header);
  view.ring = path;
  const auto* records = reinterpret_cast<const RingRecord*>(&header + 1);
  const std::uint64_t begun = header.live.begun;
  const std::uint64_t first = begun > kRingRecords ? begun - kRingRecords : 0;
  for (std::uint64_t number = first; number < begun; ++number) {
    const RingRecord& record = records[number % kRingRecords];
    // Being written, or still in a queue.
    if (record.stamp != number + 1 || record.started_ns == 0) continue;
    view.operations.push_back(operation_of(header, record));
    view.last[view.operations.back().group] = view.operations.back();
  }
  return view;
}

bool write_status(const fs::path& path, const RankView& view) {
  std::string line = to_json(view).dump();
  if (line.size() >= kStatusBytes) return false;
  line.resize(kStatusBytes - 1, ' ');
  line += '\n';
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return false;
  const bool written = ::pwrite(fd, line.data(), line.size(), 0) ==
                       static_cast<ssize_t>(line.size());
  return ::close(fd) == 0 && written;
}

std::optional<RankView> read_status(const fs::path& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  try {
    return rank_view_from(nlohmann::json::parse(file));
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

void mark_killed(const fs::path& ring) {
  const int fd = ::open(ring.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  const auto end = static_cast<std::uint32_t>(RingEnd::kKilled);
  constexpr off_t kPlace = offsetof(RingHeader, live) + offsetof(RingLive, end);
  (void)!::pwrite(fd, &end, sizeof(end), kPlace);
  ::close(fd);
}

std::string keep_ring(const fs::path& ring, const fs::path& folder, int rank) {
  std::error_code code;
  fs::create_directories(folder, code);
  const fs::path kept = kept_ring_path(folder, rank);
  fs::copy_file(ring, kept, fs::copy_options::skip_existing, code);
  return code ? kept.string() + ": " + code.message() : "";
}

}  // namespace sono
