#pragma once
// Whether a checkpoint is whole: every byte against its manifest.

#include <filesystem>

#include "dist/checkpoint/manifest.h"
#include "dist/communicator.h"

namespace sono {

// Each rank reads its share of the blocks. All ranks get the same result or
// the same error: DataError naming the file, and the first bad block where
// checksums differ; ConfigError when another version of the program made it.
// All ranks must call.
CheckpointState verify_checkpoint(Communicator& comm,
                                  const std::filesystem::path& folder);
// The same, alone.
CheckpointState verify_checkpoint(const std::filesystem::path& folder);

}  // namespace sono
