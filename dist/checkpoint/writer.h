#pragma once
// Writing a checkpoint, by all ranks together.

#include <filesystem>
#include <string>
#include <vector>

#include "dist/arena.h"
#include "dist/checkpoint/manifest.h"
#include "dist/communicator.h"

namespace sono {

struct CheckpointFile {
  std::string name;      // "model.safetensors"
  NamedTensors tensors;  // views into an arena
};

// The files of an arena: model, optimizer and, where kept, ema.
std::vector<CheckpointFile> checkpoint_files(const Arena& arena);

// Writes `root`/step-NNNNNNNN and returns its path. Each rank writes its own
// range of 1 MiB blocks of each file, rank 0 the json; the bytes do not depend
// on the number of ranks. Afterwards this checkpoint and the newest whole one
// before it remain. ResourceError on every rank when a disk is full: the
// unfinished folder is removed, earlier checkpoints stay. `root` is the same
// shared folder on all ranks. All ranks must call, with equal contents.
std::filesystem::path save_checkpoint(Communicator& comm,
                                      const std::filesystem::path& root,
                                      const CheckpointState& state,
                                      const Arena& arena);

// Removes every other checkpoint beside this one, so that a finished training
// leaves the same files whatever its history. All ranks must call.
void remove_other_checkpoints(Communicator& comm,
                              const std::filesystem::path& checkpoint);

}  // namespace sono
