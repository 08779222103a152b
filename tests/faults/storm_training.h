#pragma once
// A training small enough to be killed hundreds of times: a few milliseconds a
// step, some ten megabytes a save.

#include <filesystem>

#include "dist/communicator.h"

namespace sono {

// Runs it to its end in `dir`, or goes on there. All ranks must call.
void train_storm(Communicator& comm, const std::filesystem::path& dir,
                 int zero_stage);

}  // namespace sono
