#pragma once
// The checkpoints of one training, written while it goes on.
//
// `save` returns at once. A writer thread copies this rank's part of the arena
// into a slab during the next forward and backward pass; `wait_copied` stands
// before the optimiser, which changes the arena. The files are then written at
// low priority, and the ranks' writer threads agree over a communicator of
// their own. At most one save is under way; the next one waits for it.
//
// Where the communicator has no duplicate for a second thread, `save` writes
// at once and training waits; a warning says so.

#include <condition_variable>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "dist/arena.h"
#include "dist/checkpoint/manifest.h"
#include "dist/checkpoint/snapshot.h"
#include "dist/checkpoint/writer.h"
#include "dist/communicator.h"

namespace sono {

struct StoreOptions {
  // Without progress of a save: a CommError.
  double deadline_seconds = 600;
};

// Used by the training thread alone. All ranks must make it, call `save` and
// `finish`, and destroy it, in the same order.
class CheckpointStore {
 public:
  // Allocates this rank's share of the files as the slab. `root` is the same
  // shared folder on all ranks; `comm` and `arena` must outlive the store.
  CheckpointStore(Communicator& comm, std::filesystem::path root,
                  const Arena& arena, StoreOptions options = {});
  // Waits for the save under way; logs an error that nobody has seen.
  ~CheckpointStore();
  CheckpointStore(const CheckpointStore&) = delete;
  CheckpointStore& operator=(const CheckpointStore&) = delete;

  // Starts the save of `root`/step-NNNNNNNN; from here to `wait_copied` the
  // arena must not change. Throws the error of the save before on every rank:
  // ResourceError on a full disk, where the unfinished folder is removed and
  // earlier checkpoints stay.
  void save(const CheckpointState& state);
  // Returns when the arena may change again, helping with the copy. Cheap when
  // no save is under way.
  void wait_copied();
  // Returns when the last save is on disk; throws its error on every rank.
  void finish();

  // Whether a save is under way.
  bool saving() const;
  bool asynchronous() const { return background_ != nullptr; }
  // Of the slab.
  std::int64_t memory_bytes() const { return snapshot_->memory_bytes(); }

 private:
  void write(Communicator& comm, const CheckpointState& state);
  void run_writer();
  // Returns when no save is under way. CommError after `seconds` without
  // progress.
  void wait_idle(double seconds);
  void abandon_save();

  Communicator& comm_;
  const StoreOptions options_;
  SavePlan plan_;
  std::unique_ptr<Snapshot> snapshot_;
  std::unique_ptr<Communicator> background_;  // the writer threads'
  SaveProgress progress_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::optional<CheckpointState> under_way_;
  std::exception_ptr error_;  // of the last save
  bool ending_ = false;
  std::thread writer_;
};

}  // namespace sono
