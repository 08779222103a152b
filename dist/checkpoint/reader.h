#pragma once
// Finding and reading checkpoints; any number of ranks reads what any other
// number wrote.

#include <filesystem>
#include <optional>

#include "dist/arena.h"
#include "dist/checkpoint/manifest.h"
#include "dist/communicator.h"

namespace sono {

struct FoundCheckpoint {
  std::filesystem::path path;
  CheckpointState state;
};

// The newest checkpoint in `root` that is whole, checked by all ranks together;
// damaged ones are passed over with a warning. Nothing when there is none.
// ConfigError on every rank when the newest whole one has another config hash,
// lane count or seed than `wanted`, or another version of the program made it.
// All ranks must call.
std::optional<FoundCheckpoint> find_checkpoint(
    Communicator& comm, const std::filesystem::path& root,
    const CheckpointState& wanted);

// Reads `folder` into the arena: of each tensor only what this rank holds.
// DataError naming file and tensor where names or shapes differ from the
// arena's. All ranks must call.
void load_checkpoint(Communicator& comm, const std::filesystem::path& folder,
                     Arena& arena);

}  // namespace sono
