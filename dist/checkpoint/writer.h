#pragma once
// Writing one checkpoint from snapshots, by all ranks together.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "dist/checkpoint/file_layout.h"
#include "dist/checkpoint/manifest.h"
#include "dist/checkpoint/snapshot.h"
#include "dist/checkpoint/write_plan.h"
#include "dist/communicator.h"

namespace sono {

// What the saves of one training have in common, on this rank.
struct SavePlan {
  std::filesystem::path root;  // the same shared folder on all ranks
  std::vector<FileLayout> files;
  WritePlan writes;
};

// One save as other threads of the rank see it.
struct SaveProgress {
  std::atomic<std::int64_t> blocks{0};  // grows with each block and file
  // Somebody waits for the save. Until then the writer rests after each block
  // for as long as that took, which halves what training feels of it.
  std::atomic<bool> awaited{false};
};

// Waits for this rank's copies, then writes `root`/step-NNNNNNNN: each rank
// its blocks, rank 0 the json. The bytes do not depend on the number of ranks.
// Afterwards this checkpoint and the newest one before it remain. The first
// error of any rank is thrown on every rank, and the unfinished folder is
// removed; earlier checkpoints stay. All ranks must call, with equal states.
void write_checkpoint(Communicator& comm, const SavePlan& plan,
                      const CheckpointState& state, Snapshot& snapshot,
                      SaveProgress& progress);

// Removes every other checkpoint beside this one, so that a finished training
// leaves the same files whatever its history. All ranks must call.
void remove_other_checkpoints(Communicator& comm,
                              const std::filesystem::path& checkpoint);

}  // namespace sono
