#pragma once
// A small parent process for each rank under MPI, which outlives whatever ends
// the rank. When a rank is killed (by the kernel for want of memory, say) or
// ends without a word, the guard says which rank it was and what it was doing,
// keeps its recording and ends with 4; the launcher then ends the job.

#include <filesystem>
#include <optional>

#include "dist/bootstrap.h"

namespace sono {

// Called first thing in main, before any thread or MPI. Returns nothing in the
// process that is to go on as the rank, and at once when not under MPI; in the
// guard, the exit code, once the rank has ended. SIGUSR1 and SIGUSR2 sent to
// the guard alone reach the rank.
std::optional<int> guard_rank(const Environment& environment);

// Tells this process's guard, if it has one, where the rank's recording lies.
void tell_guard(const std::filesystem::path& ring);

}  // namespace sono
