#include "launch/doctor/folder_probe.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <thread>

#include "core/atomic_file.h"
#include "core/error.h"
#include "launch/doctor/disk_rates.h"

namespace sono {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr double kSeenWithin = 30;  // seconds a shared folder may lag
constexpr int kRenames = 8;         // whose showing is timed

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The steps of one rank. Every step is collective and catches what fails here,
// so that ranks stay together.
class RankProbe {
 public:
  RankProbe(Communicator& comm, const FolderProbe& probe)
      : comm_(comm), probe_(probe) {}

  FolderFacts run() {
    open();
    if (!everybody_sees_it()) return finish();
    look_at_clock();
    race(facts_.created, [&](int round) { return create(round); });
    race(facts_.linked, [&](int round) { return link(round); });
    race_for_locks();
    replace_and_read();
    time_renames();
    time_disk();
    return finish();
  }

 private:
  void attempt(const std::function<void()>& work) {
    try {
      work();
    } catch (const std::exception& error) {
      if (facts_.error.empty()) facts_.error = error.what();
    }
  }

  fs::path own(const std::string& name) const {
    return work_ / (name + "-" + std::to_string(comm_.rank()));
  }

  void open() {
    std::string name;
    attempt([&] {
      if (comm_.rank() != 0) return;
      make_directories(probe_.folder);
      name = (probe_.folder /
              (".sonoforge-doctor-" + std::to_string(::getpid()) + "-" +
               std::to_string(Clock::now().time_since_epoch().count())))
                 .string();
      make_directories(name);
      write_file_atomic(fs::path(name) / "made-by-rank-0", name);
    });
    work_ = broadcast_string(comm_, facts_.error.empty() ? name : "");
  }

  // Only whether all go on is agreed upon; `seen` is each rank's own.
  bool everybody_sees_it() {
    const auto start = Clock::now();
    while (!work_.empty() && !facts_.seen) {
      std::error_code ignored;
      facts_.seen = fs::exists(work_ / "made-by-rank-0", ignored);
      if (facts_.seen || seconds_since(start) > kSeenWithin) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    attempt([&] { facts_.space = disk_space(probe_.folder); });
    const auto all = gather_strings(comm_, facts_.seen ? "1" : "0");
    return std::count(all.begin(), all.end(), "1") == std::ssize(all);
  }

  // A file made now carries the server's time.
  void look_at_clock() {
    attempt([&] {
      const auto now = [] {
        return std::chrono::duration<double>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
      };
      const double before = now();
      const File file(own("clock"), O_CREAT | O_WRONLY);
      struct stat status = {};
      if (!file.ok() || ::write(file.fd(), "x", 1) != 1 ||
          ::fsync(file.fd()) != 0 || ::fstat(file.fd(), &status) != 0) {
        throw_file_error(own("clock"), "asking for the server's time", errno);
      }
      const double after = now();
      const double server = static_cast<double>(status.st_mtim.tv_sec) +
                            1e-9 * static_cast<double>(status.st_mtim.tv_nsec);
      // Inside the interval it may be any time: no skew to speak of.
      facts_.clock_ahead =
          server < before ? server - before : std::max(0.0, server - after);
    });
  }

  void race(std::vector<int>& won, const std::function<bool(int)>& try_once) {
    for (int round = 0; round < kRaces; ++round) {
      comm_.barrier();
      attempt([&] {
        if (try_once(round)) won.push_back(round);
      });
    }
  }

  bool create(int round) {
    const auto path = work_ / ("create-" + std::to_string(round));
    const File file(path, O_CREAT | O_EXCL | O_WRONLY);
    if (!file.ok() && errno != EEXIST) {
      throw_file_error(path, "open with O_EXCL", errno);
    }
    return file.ok();
  }

  bool link(int round) {
    const auto path = work_ / ("link-" + std::to_string(round));
    const auto mine = own("linked" + std::to_string(round));
    if (const File file(mine, O_CREAT | O_WRONLY); !file.ok()) {
      throw_file_error(mine, "creating", errno);
    }
    if (::link(mine.c_str(), path.c_str()) == 0) return true;
    if (errno != EEXIST) throw_file_error(path, "hard link", errno);
    return false;
  }

  // Each round's winner keeps the lock until all have tried.
  void race_for_locks() {
    for (int round = 0; round < kRaces; ++round) {
      comm_.barrier();
      const auto path = work_ / ("lock-" + std::to_string(round));
      const File file(path, O_CREAT | O_RDWR);
      if (file.ok() && ::flock(file.fd(), LOCK_EX | LOCK_NB) == 0) {
        facts_.locked.push_back(round);
      }
      comm_.barrier();
    }
  }

  // Rank 0 replaces one file by rename over and over, all others read it; a
  // single rank has a thread read.
  void replace_and_read() {
    const auto path = work_ / "replaced";
    attempt([&] {
      if (comm_.rank() == 0) write_file_atomic(path, content('a'));
    });
    comm_.barrier();
    const auto end =
        Clock::now() +
        std::chrono::milliseconds(static_cast<int>(1000 * probe_.seconds));
    std::thread reader;
    if (comm_.rank() > 0) {
      read_until(path, end);
    } else {
      if (comm_.world_size() == 1) {
        reader = std::thread([&] { read_until(path, end); });
      }
      attempt([&] {
        for (char letter = 'b'; Clock::now() < end;
             letter = letter == 'z' ? 'a' : static_cast<char>(letter + 1)) {
          replace(path, content(letter));
        }
      });
    }
    if (reader.joinable()) reader.join();
    comm_.barrier();
  }

  static std::string content(char letter) { return std::string(20000, letter); }

  // Without fsync, so that many replacements are made.
  void replace(const fs::path& path, const std::string& text) {
    const auto other = work_ / "replacing";
    {
      const File file(other, O_CREAT | O_TRUNC | O_WRONLY);
      if (!file.ok() || ::write(file.fd(), text.data(), text.size()) !=
                            static_cast<ssize_t>(text.size())) {
        throw_file_error(other, "writing", errno);
      }
    }
    if (::rename(other.c_str(), path.c_str()) != 0) {
      throw_file_error(path, "rename", errno);
    }
  }

  void read_until(const fs::path& path, Clock::time_point end) {
    std::string text(30000, 0);
    while (Clock::now() < end) {
      ++facts_.reads;
      const File file(path, O_RDONLY);
      const ssize_t size =
          file.ok() ? ::read(file.fd(), text.data(), text.size()) : -1;
      if (size < 0) {
        ++facts_.missing;
      } else if (text.substr(0, static_cast<std::size_t>(size)) !=
                 content(text[0])) {
        ++facts_.torn;
      }
    }
  }

  // The others look for the name before it is there, since what hides a new
  // file from a host is what it remembers of the folder.
  void time_renames() {
    for (int round = 0; round < kRenames; ++round) {
      const int writer = round % comm_.world_size();
      const auto path = work_ / ("shown-" + std::to_string(round));
      std::error_code ignored;
      static_cast<void>(fs::exists(path, ignored));
      comm_.barrier();
      attempt([&] {
        if (comm_.rank() == writer) write_file_atomic(path, "shown");
      });
      comm_.barrier();  // from here on it should be seen
      const auto start = Clock::now();
      while (!fs::exists(path, ignored) && seconds_since(start) < kSeenWithin) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      const double delay = seconds_since(start);
      if (delay > facts_.delay) {
        facts_.delay = delay;
        facts_.delayed_by = writer;
      }
    }
  }

  void time_disk() {
    comm_.barrier();
    attempt([&] {
      facts_.write_rate = write_rate(own("bytes"), probe_.bytes, comm_.rank());
    });
    comm_.barrier();
    const int next = (comm_.rank() + 1) % comm_.world_size();
    attempt([&] {
      facts_.read_rate = read_rate(work_ / ("bytes-" + std::to_string(next)));
    });
    comm_.barrier();
  }

  FolderFacts finish() {
    comm_.barrier();
    std::error_code ignored;
    if (comm_.rank() == 0 && !work_.empty()) fs::remove_all(work_, ignored);
    return facts_;
  }

  Communicator& comm_;
  const FolderProbe& probe_;
  fs::path work_;
  FolderFacts facts_;
};

}  // namespace

std::vector<FolderFacts> probe_folder(Communicator& comm,
                                      const FolderProbe& probe) {
  const FolderFacts own = RankProbe(comm, probe).run();
  std::vector<FolderFacts> ranks;
  for (const auto& text : gather_strings(comm, to_json(own).dump())) {
    ranks.push_back(folder_from_json(nlohmann::json::parse(text)));
  }
  return ranks;
}

}  // namespace sono
