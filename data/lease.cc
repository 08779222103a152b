#include "data/lease.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <sstream>
#include <thread>
#include <vector>

#include "core/atomic_file.h"
#include "core/check.h"
#include "core/log.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// "host/pid-namespace": processes with equal text see each other's ids.
std::string process_space() {
  char host[64] = "host";
  (void)::gethostname(host, sizeof(host) - 1);
  std::error_code code;
  const fs::path space = fs::read_symlink("/proc/self/ns/pid", code);
  return std::string(host) + "/" + space.string();
}

// Names this lease among all leases ever taken: "space pid time count".
std::string make_owner() {
  static std::atomic<std::uint64_t> counter{0};
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  return process_space() + " " + std::to_string(::getpid()) + " " +
         std::to_string(now) + " " + std::to_string(counter++);
}

// True when the owner ran on this host and is gone: no need to wait. An id in
// use again only means waiting for the counter.
bool is_owner_gone(const std::string& content) {
  std::istringstream words(content);
  std::string space;
  pid_t pid = 0;
  if (!(words >> space >> pid) || pid <= 0) return false;
  return space == process_space() && ::kill(pid, 0) != 0 && errno == ESRCH;
}

// Opens, writes and closes, so that NFS clients that open later see it. False
// when the file could not be opened or written.
bool write_lease(const fs::path& path, int flags, const std::string& content) {
  const int fd = ::open(path.c_str(), flags | O_WRONLY | O_CLOEXEC, 0666);
  if (fd < 0) return false;
  const ssize_t written = ::pwrite(fd, content.data(), content.size(), 0);
  const int write_error = errno;
  ::close(fd);
  errno = write_error;
  return written == static_cast<ssize_t>(content.size());
}

// The content of a lease; none when there is no such file.
std::optional<std::string> read_lease(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  char buffer[256];
  const ssize_t size = ::pread(fd, buffer, sizeof(buffer), 0);
  ::close(fd);
  return std::string(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
}

}  // namespace

void LeaseConfig::validate() const {
  check_range("lease.stale_seconds", stale_seconds, 0.1, 86400);
  check_range("lease.poll_seconds", poll_seconds, 0.001, 3600);
}

void describe(OptionTable& table, LeaseConfig& config) {
  table.add("lease.stale_seconds", &config.stale_seconds, OptionKind::kSpeed,
            "take over work whose holder gave no sign of life for so long, s");
  table.add("lease.poll_seconds", &config.poll_seconds, OptionKind::kSpeed,
            "pause between two looks at work held by others, s");
}

// Owns the file and the thread that moves its counter on.
class Lease::Heartbeat {
 public:
  Heartbeat(fs::path path, std::string owner, double interval_seconds)
      : path_(std::move(path)),
        owner_(std::move(owner)),
        interval_(interval_seconds),
        thread_([this] { beat(); }) {}

  ~Heartbeat() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
    if (is_ours()) ::unlink(path_.c_str());
  }

  bool lost() const { return lost_; }

  // "owner counter": fixed width, so that a beat overwrites in place.
  static std::string content(const std::string& owner, std::uint64_t count) {
    const std::string digits = std::to_string(count);
    return owner + " " + std::string(20 - digits.size(), '0') + digits + "\n";
  }

 private:
  bool is_ours() const {
    const auto content_now = read_lease(path_);
    return content_now && content_now->starts_with(owner_ + " ");
  }

  void beat() {
    std::unique_lock lock(mutex_);
    for (std::uint64_t count = 1;; ++count) {
      if (wake_.wait_for(lock, interval_, [this] { return stopping_; })) return;
      if (!is_ours()) {
        lost_ = true;
        return;
      }
      // A failed beat (full disk) only makes the lease look stale to others.
      (void)write_lease(path_, 0, content(owner_, count));
    }
  }

  fs::path path_;
  std::string owner_;
  std::chrono::duration<double> interval_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::atomic<bool> lost_{false};
  std::thread thread_;  // last: starts when all else is ready
};

Lease::Lease(std::unique_ptr<Heartbeat> heartbeat)
    : heartbeat_(std::move(heartbeat)) {}
Lease::Lease(Lease&&) noexcept = default;
Lease& Lease::operator=(Lease&&) noexcept = default;
Lease::~Lease() = default;

bool Lease::lost() const { return heartbeat_ == nullptr || heartbeat_->lost(); }

LeaseWatcher::LeaseWatcher(const LeaseConfig& config) : config_(config) {
  config.validate();
}

std::optional<Lease> LeaseWatcher::try_lease(const fs::path& path) {
  if (auto lease = create(path)) return lease;
  if (!is_stale(path)) return std::nullopt;
  spdlog::info("{}: its holder gives no sign of life, taking the work over",
               path.string());
  sightings_.erase(path);
  // Of several workers that see the stale file, one can rename it.
  const fs::path aside = temporary_name(path);
  if (::rename(path.c_str(), aside.c_str()) != 0) return std::nullopt;
  ::unlink(aside.c_str());
  return create(path);
}

std::optional<Lease> LeaseWatcher::create(const fs::path& path) {
  const std::string owner = make_owner();
  const std::string content = Lease::Heartbeat::content(owner, 0);
  constexpr int kFlags = O_CREAT | O_EXCL;
  bool made = write_lease(path, kFlags, content);
  if (!made && errno == ENOENT) {  // first use, or another worker tidied up
    make_directories(path.parent_path());
    made = write_lease(path, kFlags, content);
  }
  if (!made) {
    const int error_number = errno;
    if (error_number == EEXIST || error_number == ENOENT) return std::nullopt;
    ::unlink(path.c_str());
    throw_file_error(path, "taking a lease", error_number);
  }
  sightings_.erase(path);
  const double interval_seconds = config_.stale_seconds / 8;
  return Lease(
      std::make_unique<Lease::Heartbeat>(path, owner, interval_seconds));
}

bool LeaseWatcher::is_stale(const fs::path& path) {
  const auto content = read_lease(path);
  if (!content) {
    sightings_.erase(path);
    return false;
  }
  if (is_owner_gone(*content)) return true;
  const auto now = Clock::now();
  auto [sighting, is_new] =
      sightings_.try_emplace(path, Sighting{*content, now});
  if (is_new) return false;
  if (sighting->second.content != *content) {
    sighting->second = {*content, now};
    return false;
  }
  const std::chrono::duration<double> still = now - sighting->second.since;
  return still.count() >= config_.stale_seconds;
}

std::int64_t first_item_of(std::int64_t items, int rank, int world_size) {
  SONO_CHECK(world_size >= 1 && rank >= 0 && rank < world_size,
             "rank " << rank << " of " << world_size);
  return items * rank / world_size;
}

namespace {

// The state of one run of run_leased_work.
class WorkLoop {
 public:
  WorkLoop(const LeasedWork& work, const LeaseConfig& config)
      : work_(work),
        config_(config),
        watcher_(config),
        done_(static_cast<std::size_t>(work.items), false) {}

  std::int64_t run() {
    if (work_.find_missing) mark_all_but(work_.find_missing());
    while (num_done_ < work_.items) {
      const bool progressed = pass();
      if (!progressed && num_done_ < work_.items) wait();
    }
    remove_leases();
    return made_here_;
  }

 private:
  // Looks at each open item once; true when any became done.
  bool pass() {
    const std::int64_t before = num_done_;
    for (std::int64_t k = 0; k < work_.items; ++k) {
      const std::int64_t item = (work_.first_item + k) % work_.items;
      if (done_[static_cast<std::size_t>(item)]) continue;
      check_stop();
      if (work_.is_done(item)) {
        mark(item);
      } else {
        try_item(item);
      }
    }
    return num_done_ > before;
  }

  fs::path lease_of(std::int64_t item) const {
    const std::string name =
        work_.name ? work_.name(item) : std::to_string(item);
    return work_.lease_folder / (name + ".lease");
  }

  // All is done, so any lease still there is a dead worker's or soon lost. In
  // a folder of named items others may still be at work on theirs.
  void remove_leases() const {
    std::error_code ignored;
    if (!work_.name) {
      fs::remove_all(work_.lease_folder, ignored);
      return;
    }
    for (std::int64_t item = 0; item < work_.items; ++item) {
      fs::remove(lease_of(item), ignored);
    }
    fs::remove(work_.lease_folder, ignored);  // when it is empty
  }

  void try_item(std::int64_t item) {
    const auto lease = watcher_.try_lease(lease_of(item));
    if (!lease) return;
    // Done between the look and the lease?
    if (!work_.is_done(item)) {
      work_.work(item);
      SONO_CHECK(work_.is_done(item), "work left item " << item << " undone");
      ++made_here_;
    }
    mark(item);
    glance();
  }

  // Counts what others have made meanwhile, some items at a time, so that
  // progress and ETA are everybody's.
  void glance() {
    constexpr std::int64_t kItems = 32;
    for (std::int64_t k = 0; k < std::min(kItems, work_.items); ++k) {
      glanced_ = (glanced_ + 1) % work_.items;
      if (done_[static_cast<std::size_t>(glanced_)]) continue;
      if (work_.is_done(glanced_)) mark(glanced_);
    }
  }

  void mark_all_but(const std::vector<std::int64_t>& missing) {
    done_.assign(done_.size(), true);
    for (const std::int64_t item : missing) {
      done_.at(static_cast<std::size_t>(item)) = false;
    }
    num_done_ = work_.items - static_cast<std::int64_t>(missing.size());
    if (work_.on_progress && num_done_ > 0) work_.on_progress(num_done_);
  }

  void mark(std::int64_t item) {
    done_[static_cast<std::size_t>(item)] = true;
    ++num_done_;
    if (work_.on_progress) work_.on_progress(num_done_);
  }

  void check_stop() const {
    if (work_.should_stop && work_.should_stop()) {
      throw StopRequested("stopped on request with " +
                          std::to_string(num_done_) + " of " +
                          std::to_string(work_.items) + " items done");
    }
  }

  void wait() const {
    check_stop();
    std::this_thread::sleep_for(
        std::chrono::duration<double>(config_.poll_seconds));
  }

  const LeasedWork& work_;
  const LeaseConfig& config_;
  LeaseWatcher watcher_;
  std::vector<bool> done_;
  std::int64_t num_done_ = 0;
  std::int64_t glanced_ = -1;  // the last item looked at in passing
  std::int64_t made_here_ = 0;
};

}  // namespace

std::int64_t run_leased_work(const LeasedWork& work,
                             const LeaseConfig& config) {
  SONO_CHECK(work.items >= 0, "items = " << work.items);
  SONO_CHECK(work.is_done && work.work, "is_done and work must be set");
  return WorkLoop(work, config).run();
}

}  // namespace sono
