#include "dist/checkpoint/store.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "core/error.h"
#include "core/message.h"
#include "dist/recorder/flight_recorder.h"

namespace sono {
namespace {

using Clock = std::chrono::steady_clock;

// A little longer than the communicator waits, since that can name the peer.
double own_deadline(double deadline_seconds) {
  return 1.05 * deadline_seconds + 1;
}

// While an error unwinds a save goes on only as long as it makes progress:
// peers may be gone.
constexpr double kUnwindSeconds = 10;

// For the calling thread alone, as far as the system allows: training has the
// first claim on cores and disks.
void lower_priority() {
  constexpr int kNice = 10;
  constexpr int kWhoProcess = 1;          // IOPRIO_WHO_PROCESS
  constexpr int kLowest = (2 << 13) | 7;  // IOPRIO_CLASS_BE, level 7
  (void)::setpriority(PRIO_PROCESS, 0, kNice);
  (void)::syscall(SYS_ioprio_set, kWhoProcess, 0, kLowest);
}

SavePlan make_plan(Communicator& comm, std::filesystem::path root,
                   const Arena& arena) {
  SavePlan plan{std::move(root), file_layouts(arena), {}};
  std::vector<HeldRanges> held;
  for (const std::string& text :
       gather_strings(comm, to_text(held_ranges(arena)))) {
    held.push_back(held_from_text(text));
  }
  plan.writes = plan_writes(plan.files, held);
  return plan;
}

}  // namespace

CheckpointStore::CheckpointStore(Communicator& comm, std::filesystem::path root,
                                 const Arena& arena, StoreOptions options)
    : comm_(comm),
      options_(options),
      plan_(make_plan(comm, std::move(root), arena)) {
  run_together(comm, [&] {
    snapshot_ = std::make_unique<Snapshot>(arena, plan_.files, plan_.writes,
                                           comm.rank());
  });
  background_ = comm.duplicate(options.deadline_seconds);
  if (background_) {
    background_->set_hurry(false);
    writer_ = std::thread([this] { run_writer(); });
  } else if (comm.rank() == 0) {
    log_warning("the " + std::string(comm.backend()) +
                " backend has no communicator for a second thread (MPI grants "
                "no MPI_THREAD_MULTIPLE): training waits while checkpoints are "
                "written");
  }
}

CheckpointStore::~CheckpointStore() {
  if (!background_) return;
  try {
    wait_idle(std::uncaught_exceptions() > 0
                  ? kUnwindSeconds
                  : own_deadline(options_.deadline_seconds));
    finish();
  } catch (const std::exception& e) {
    log_error(e.what());
  }
  if (saving()) abandon_save();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  writer_.join();
}

void CheckpointStore::abandon_save() {
  background_->abandon();
  try {
    wait_idle(kUnwindSeconds);
  } catch (const CommError& e) {
    // A thread that hangs in the disk cannot be joined.
    log_error(e.what());
    std::_Exit(e.exit_code());
  }
}

void CheckpointStore::save(const CheckpointState& state) {
  finish();
  snapshot_->start();
  if (!background_) {
    progress_.awaited = true;
    write(comm_, state);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    progress_.awaited = false;
    under_way_ = state;
  }
  changed_.notify_all();
}

void CheckpointStore::wait_copied() {
  if (snapshot_->may_help()) snapshot_->work();
  snapshot_->wait();
}

void CheckpointStore::finish() {
  wait_idle(own_deadline(options_.deadline_seconds));
  const std::lock_guard lock(mutex_);
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

bool CheckpointStore::saving() const {
  const std::lock_guard lock(mutex_);
  return under_way_.has_value();
}

void CheckpointStore::write(Communicator& comm, const CheckpointState& state) {
  snapshot_->work();
  write_checkpoint(comm, plan_, state, *snapshot_, progress_);
}

void CheckpointStore::run_writer() {
  lower_priority();
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return under_way_ || ending_; });
    if (!under_way_) return;
    const CheckpointState state = *under_way_;
    lock.unlock();
    std::exception_ptr error;
    try {
      write(*background_, state);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    error_ = error;
    under_way_.reset();
    changed_.notify_all();
  }
}

void CheckpointStore::wait_idle(double seconds) {
  const std::chrono::duration<double> limit(seconds);
  std::unique_lock lock(mutex_);
  auto progressed = Clock::now();
  progress_.awaited = true;
  for (std::int64_t seen = progress_.blocks; under_way_;) {
    changed_.wait_for(lock, std::chrono::seconds(1));
    // To the watchdog: this wait has a deadline of its own.
    if (comm_.recorder() != nullptr) comm_.recorder()->tick();
    const std::int64_t now = progress_.blocks;
    if (now != seen) progressed = Clock::now();
    seen = now;
    if (under_way_ && Clock::now() - progressed > limit) {
      throw CommError(
          "rank " + std::to_string(comm_.rank()) + ": saving " +
          (plan_.root / checkpoint_name(under_way_->step)).string() +
          " has not gone on for " + std::to_string(static_cast<int>(seconds)) +
          " s; see whether its disk still answers");
    }
  }
}

}  // namespace sono
