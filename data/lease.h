#pragma once
// Leases: "someone is at work on this item". They save work and nothing else;
// the work itself must be idempotent, because two workers may hold a lease on
// one item when a host sleeps or a file system is slow.
//
// A lease is a file made with O_EXCL that holds its owner and a counter, which
// a heartbeat thread moves on. It is stale when its content, re-opened and
// read, has not changed for `stale_seconds` on the reader's own steady clock
// (clocks of different hosts are never compared), or at once when its owner was
// a process of this host that is gone.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/option.h"

namespace sono {

struct LeaseConfig {
  // A lease whose counter stands still for so long is taken over, seconds. Too
  // short only costs work done twice.
  double stale_seconds = 30;
  // Pause between two looks at items leased by others, seconds.
  double poll_seconds = 0.5;

  void validate() const;
};

void describe(OptionTable& table, LeaseConfig& config);

// A held lease. The heartbeat runs until destruction, which removes the file
// if it is still ours. Movable; use from one thread.
class Lease {
 public:
  Lease(Lease&&) noexcept;
  Lease& operator=(Lease&&) noexcept;
  ~Lease();
  // True when another worker has taken the lease over; going on is harmless.
  bool lost() const;

 private:
  friend class LeaseWatcher;
  class Heartbeat;
  explicit Lease(std::unique_ptr<Heartbeat> heartbeat);
  std::unique_ptr<Heartbeat> heartbeat_;
};

// Takes leases and remembers, per path, since when a foreign counter has stood
// still. One a work loop; one thread.
class LeaseWatcher {
 public:
  explicit LeaseWatcher(const LeaseConfig& config);
  // The lease, when it is free or stale; none while another worker holds it.
  // Makes missing folders. DataError or ResourceError when the file system
  // refuses.
  std::optional<Lease> try_lease(const std::filesystem::path& path);

 private:
  using Clock = std::chrono::steady_clock;
  struct Sighting {
    std::string content;
    Clock::time_point since;
  };
  bool is_stale(const std::filesystem::path& path);
  std::optional<Lease> create(const std::filesystem::path& path);

  LeaseConfig config_;
  std::map<std::filesystem::path, Sighting> sightings_;
};

// A list of items shared by any number of workers (threads, ranks, hosts).
struct LeasedWork {
  std::int64_t items = 0;
  // Whether item i's result stands, whoever made it. Called often: keep cheap.
  std::function<bool(std::int64_t)> is_done;
  // The items whose result does not stand, asked once at the start: one look at
  // all where `is_done` would take one an item. Empty: all are asked for.
  std::function<std::vector<std::int64_t>()> find_missing;
  // Makes item i's result so that is_done(i) holds. Must be idempotent. Throw
  // StopRequested to leave at once; the lease is given back.
  std::function<void(std::int64_t)> work;
  // Place of the lease files; one folder a list of items, or items that have
  // names.
  std::filesystem::path lease_folder;
  // The item's name in that folder, for lists that differ from worker to
  // worker; empty: its number.
  std::function<std::string(std::int64_t)> name;
  // Where this worker starts in the list; speed only.
  std::int64_t first_item = 0;
  // Asked before each item and while waiting; empty: never stop.
  std::function<bool()> should_stop;
  // Told the number of items done by anyone; may be empty.
  std::function<void(std::int64_t)> on_progress;
};

// Works until every item is done: takes items nobody holds, waits for those
// that others hold, takes over stale ones. Returns the number of items made
// here. Throws StopRequested when asked to stop; errors of `work` pass through
// with the lease given back.
std::int64_t run_leased_work(const LeasedWork& work, const LeaseConfig& config);

// An even spread of workers over a list: the first item of worker `rank`.
std::int64_t first_item_of(std::int64_t items, int rank, int world_size);

}  // namespace sono
