#pragma once
// The files by which ranks and people find out about a rank: its ring, which
// lies on its own host, and in the run's folder recorder/, for all hosts, its
// status (while it runs) and a copy of its ring (after a stall).

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "dist/recorder/rank_view.h"

namespace sono {

// Processes with equal numbers on one host see each other's ids.
std::uint64_t pid_space();
std::string host_name();

// RUN/recorder.
std::filesystem::path recorder_folder(const std::filesystem::path& run_folder);
// FOLDER/rank-NNNN.json and FOLDER/rank-NNNN.ring.
std::filesystem::path status_path(const std::filesystem::path& folder,
                                  int rank);
std::filesystem::path kept_ring_path(const std::filesystem::path& folder,
                                     int rank);

// A ring as it is now; nothing when there is none or it is not a whole one.
// Says how its process does when that runs on this host.
std::optional<RankView> read_ring(const std::filesystem::path& path);
// The same of an open file that may have lost its name.
std::optional<RankView> read_ring(int file, const std::filesystem::path& path);

// Writes a rank's status in place, in one write of fixed length, so that a full
// disk does not matter from the second time on. False when it failed.
bool write_status(const std::filesystem::path& path, const RankView& view);
// Nothing when there is none, or it is just being written.
std::optional<RankView> read_status(const std::filesystem::path& path);

// Writes into the ring of a process that is gone that it was killed.
void mark_killed(const std::filesystem::path& ring);

// Copies a ring to kept_ring_path, unless there is a copy: the first one shows
// what happened, later ones how the job was ended. Returns what went wrong, or
// "".
std::string keep_ring(const std::filesystem::path& ring,
                      const std::filesystem::path& folder, int rank);

}  // namespace sono
