#include "dist/recorder/flight_recorder.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <vector>

#include "core/atomic_file.h"
#include "core/error.h"
#include "dist/recorder/rank_files.h"

namespace sono {
namespace {

// Added to the watchdog's deadline, so that the watchdog speaks first.
constexpr double kWatchdogFirstSeconds = 20;
constexpr double kForeverSeconds = 1e8;
constexpr char kMaking[] =
    "making the flight recorder (option place.recorder puts it elsewhere)";

std::int64_t now_ns(clockid_t clock) {
  timespec time = {};
  ::clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}
std::int64_t steady_ns() { return now_ns(CLOCK_MONOTONIC); }

template <std::size_t N>
void copy_text(char (&to)[N], std::string_view from) {
  const std::size_t size = std::min(from.size(), N - 1);
  std::memcpy(to, from.data(), size);
  to[size] = 0;
}

std::filesystem::path default_folder() {
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder != 0 ? folder : "/tmp";
}

// A file of kRingBytes zeros that no other user can read or has put there.
int make_file(const std::filesystem::path& path) {
  ::unlink(path.c_str());
  const int fd = ::open(
      path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) throw_file_error(path, kMaking, errno);
  const std::vector<char> zeros(kRingBytes, 0);
  for (std::size_t at = 0; at < zeros.size();) {
    const ssize_t size = ::write(fd, zeros.data() + at, zeros.size() - at);
    if (size <= 0) {
      const int error_number = size == 0 ? ENOSPC : errno;
      ::close(fd);
      ::unlink(path.c_str());
      throw_file_error(path, kMaking, error_number);
    }
    at += static_cast<std::size_t>(size);
  }
  return fd;
}

void* map_file(int file, const std::filesystem::path& path) {
  void* map =
      ::mmap(nullptr, kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (map != MAP_FAILED) return map;
  const int error_number = errno;
  ::close(file);
  throw_file_error(path, "mapping the flight recorder", error_number);
}

}  // namespace

std::filesystem::path ring_path(const std::filesystem::path& folder,
                                const std::string& job, int rank) {
  return (folder.empty() ? default_folder() : folder) /
         ("sonoforge-" + job + "-rank" + std::to_string(rank) + ".ring");
}

FlightRecorder::FlightRecorder(const RecorderOptions& options)
    : options_(options),
      path_(ring_path(options.folder, options.job, options.rank)),
      file_(make_file(path_)),
      map_(map_file(file_, path_)) {
  RingHeader& h = header();
  h.version = kRingVersion;
  h.num_records = kRingRecords;
  h.rank = options.rank;
  h.local_rank = options.local_rank;
  h.pid = ::getpid();
  h.pid_space = pid_space();
  h.step_deadline = options.deadlines.step;
  h.anchor_steady_ns = steady_ns();
  h.anchor_wall_ns = now_ns(CLOCK_REALTIME);
  copy_text(h.host, options.host);
  copy_text(h.job, options.job);
  copy_text(h.device, options.device);
  copy_text(h.build, options.build);
  live().world_size = options.world_size;
  set_awaited({});
  set_phase(Phase::kStart, 0);
  beat();
  group("world");
  // Last: a reader takes the file for a recording from here on.
  std::atomic_thread_fence(std::memory_order_release);
  std::memcpy(h.magic, kRingMagic, sizeof(kRingMagic));
}

FlightRecorder::~FlightRecorder() {
  if (end() == RingEnd::kDone) ::unlink(path_.c_str());
  ::munmap(map_, kRingBytes);
  ::close(file_);
}

RingRecord& FlightRecorder::record(std::uint64_t number) const {
  auto* records = reinterpret_cast<RingRecord*>(static_cast<char*>(map_) +
                                                sizeof(RingHeader));
  return records[number % kRingRecords];
}

// Names come from a few places in the code, so the table fills at once and the
// search ends early. Two threads may add one name twice, which does no harm; a
// name beyond the table's end shares the last place.
std::uint8_t FlightRecorder::intern(std::string_view name) {
  RingHeader& h = header();
  name = name.substr(0, sizeof(RingName::text) - 1);
  const std::uint32_t known = std::min<std::uint32_t>(live().names, kRingNames);
  for (std::uint32_t i = 0; i < known; ++i) {
    if (h.name[i].ready && name == h.name[i].text) {
      return static_cast<std::uint8_t>(i);
    }
  }
  const std::uint32_t slot = live().names.fetch_add(1);
  if (slot >= kRingNames - 1) {
    live().names = kRingNames;
    copy_text(h.name[kRingNames - 1].text, "(other)");
    h.name[kRingNames - 1].ready = 1;
    return kRingNames - 1;
  }
  copy_text(h.name[slot].text, name);
  h.name[slot].ready = 1;
  return static_cast<std::uint8_t>(slot);
}

std::uint8_t FlightRecorder::group(std::string_view name) {
  const std::uint8_t number = intern(name);
  if (number >= 16) {
    throw Error(
        "flight recorder: name the groups before any operation, and "
        "at most 16");
  }
  return number;
}

std::uint64_t FlightRecorder::begin(const Operation& operation) {
  const std::uint64_t number = live().begun.fetch_add(1);
  RingRecord& r = record(number);
  r.stamp.store(0, std::memory_order_release);
  r.sequence = operation.sequence;
  r.bytes = operation.bytes;
  r.even_bytes = operation.even_bytes;
  r.enqueued_ns = steady_ns();
  r.started_ns = 0;
  r.done_ns = 0;
  r.step = static_cast<std::int32_t>(live().step);
  r.bucket = static_cast<std::int16_t>(operation.bucket >= 0 ? operation.bucket
                                                             : bucket_.load());
  r.operation = intern(operation.name);
  r.group_and_phase =
      static_cast<std::uint8_t>(operation.group << 4 | live().phase);
  r.stamp.store(number + 1, std::memory_order_release);
  return number;
}

void FlightRecorder::start(std::uint64_t number) {
  live().awaited[0] = -1;
  record(number).started_ns = steady_ns();
  tick();
}

std::uint64_t FlightRecorder::begin_now(const Operation& operation) {
  const std::uint64_t number = begin(operation);
  start(number);
  return number;
}

void FlightRecorder::done(std::uint64_t number) {
  RingRecord& r = record(number);
  if (r.stamp == number + 1) {
    r.done_ns = steady_ns();
    if (StepTrace* const trace = this->trace()) trace_operation(*trace, r);
  }
  tick();
}

void FlightRecorder::trace_operation(StepTrace& trace,
                                     const RingRecord& r) const {
  nlohmann::json args = {{"bytes", r.bytes}, {"sequence", r.sequence}};
  if (r.bucket >= 0) args["bucket"] = r.bucket;
  const std::string group = header().name[r.group_and_phase >> 4].text;
  // The thread that computes has named its row.
  trace.name_row(group == "world" ? "communication" : group);
  trace.add("operation", header().name[r.operation].text, r.started_ns,
            r.done_ns, args);
}

void FlightRecorder::set_trace(StepTrace* trace) {
  if (StepTrace* const before = this->trace()) before->end_phase(steady_ns());
  if (trace != nullptr) {
    trace->name_row("computation");
    trace->enter_phase(phase(), step(), steady_ns());
  }
  trace_.store(trace, std::memory_order_release);
}

std::string FlightRecorder::trace_json(const StepTrace& trace) const {
  return trace.json(header().anchor_wall_ns - header().anchor_steady_ns);
}

void FlightRecorder::set_awaited(const std::vector<int>& ranks) {
  for (std::size_t i = 0; i < kRingAwaited; ++i) {
    live().awaited[i] =
        static_cast<std::int16_t>(i < ranks.size() ? ranks[i] : -1);
  }
}

void FlightRecorder::set_phase(Phase phase, std::int64_t step) {
  live().phase = static_cast<std::uint32_t>(phase);
  live().step = step;
  const std::int64_t now = steady_ns();
  live().phase_ns = now;
  if (StepTrace* const trace = this->trace()) {
    trace->enter_phase(phase, step, now);
  }
  tick();
}

Phase FlightRecorder::phase() const {
  return static_cast<Phase>(live().phase.load());
}
std::int64_t FlightRecorder::step() const { return live().step; }
int FlightRecorder::world_size() const { return live().world_size; }

void FlightRecorder::tick() {
  live().progress_ns.store(steady_ns(), std::memory_order_relaxed);
  live().progress.fetch_add(1, std::memory_order_release);
}

double FlightRecorder::wait_deadline_seconds() const {
  if (waits_for_work(phase())) return kForeverSeconds;
  return work_deadline(phase(), options_.deadlines) + kWatchdogFirstSeconds;
}

void FlightRecorder::beat() {
  live().beat_ns = steady_ns();
  ++live().beat;
}

void FlightRecorder::set_world_size(int world_size) {
  live().world_size = world_size;
}
void FlightRecorder::set_end(RingEnd end) {
  live().end = static_cast<std::uint32_t>(end);
}

RingEnd FlightRecorder::end() const {
  return static_cast<RingEnd>(live().end.load());
}

void FlightRecorder::set_shared_folder(const std::filesystem::path& folder) {
  const std::lock_guard lock(folder_mutex_);
  shared_folder_ = folder;
  // For whoever finds the ring; a path too long for it is left out.
  if (folder.native().size() < sizeof(RingHeader::shared_folder)) {
    copy_text(header().shared_folder, folder.native());
  }
}

std::filesystem::path FlightRecorder::shared_folder() const {
  const std::lock_guard lock(folder_mutex_);
  return shared_folder_;
}

RankView FlightRecorder::view() const {
  // It was whole when it was mapped, and nobody makes it shorter.
  return read_ring(file_, path_).value();
}

std::string FlightRecorder::keep() const {
  const auto folder = shared_folder();
  return folder.empty() ? "" : keep_ring(path_, folder, options_.rank);
}

PhaseMark::PhaseMark(FlightRecorder* recorder, Phase phase)
    : PhaseMark(recorder, phase, recorder != nullptr ? recorder->step() : 0) {}

PhaseMark::PhaseMark(FlightRecorder* recorder, Phase phase, std::int64_t step)
    : recorder_(recorder) {
  if (recorder_ == nullptr) return;
  exceptions_ = std::uncaught_exceptions();
  phase_before_ = recorder_->phase();
  step_before_ = recorder_->step();
  recorder_->set_phase(phase, step);
}

PhaseMark::~PhaseMark() {
  if (recorder_ == nullptr) return;
  if (std::uncaught_exceptions() > exceptions_) return;
  recorder_->set_phase(phase_before_, step_before_);
}

TraceSlice::TraceSlice(FlightRecorder* recorder, std::string_view name,
                       std::int64_t number)
    : trace_(recorder == nullptr ? nullptr : recorder->trace()),
      name_(name),
      number_(number) {
  if (trace_ == nullptr) return;
  begin_ns_ = steady_ns();
  trace_->cut_phase(begin_ns_);
}

TraceSlice::~TraceSlice() {
  if (trace_ == nullptr) return;
  std::string name(name_);
  if (number_ >= 0) name += " " + std::to_string(number_);
  const std::int64_t end = steady_ns();
  trace_->cut_phase(end);
  trace_->add("slice", name, begin_ns_, end);
}

BucketMark::BucketMark(FlightRecorder* recorder, std::size_t bucket)
    : recorder_(recorder),
      slice_(recorder, "bucket", static_cast<std::int64_t>(bucket)) {
  if (recorder_ != nullptr) recorder_->set_bucket(static_cast<int>(bucket));
}

BucketMark::~BucketMark() {
  if (recorder_ != nullptr) recorder_->set_bucket(-1);
}

}  // namespace sono
