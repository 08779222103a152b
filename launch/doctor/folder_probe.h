#pragma once
// Whether a folder behaves on all ranks as a run needs it: one file system for
// all, renames that show the old file or the new one and nothing else, files
// that one of many makers gets. And how fast it is.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/disk_space.h"
#include "dist/communicator.h"
#include "launch/doctor/findings.h"

namespace sono {

// Of one rank.
struct FolderFacts {
  std::string error;  // the first thing that failed; empty: none
  DiskSpace space;
  bool seen = false;         // what rank 0 made there
  double clock_ahead = 0;    // seconds of the folder's server before this host
  std::vector<int> created;  // rounds in which this rank's O_EXCL won
  std::vector<int> linked;   // the same for link(2)
  std::vector<int> locked;   // and for flock
  std::int64_t reads = 0;    // of a file that is replaced all the time
  std::int64_t torn = 0;     // of these, neither the old nor the new content
  std::int64_t missing = 0;  // of these, no file at all
  double delay = 0;          // seconds until another rank's rename showed, most
  int delayed_by = 0;        // whose
  double write_rate = 0;     // bytes a second, all ranks at once, with fsync
  double read_rate = 0;      // of what the next rank wrote
};

struct FolderProbe {
  std::filesystem::path folder;
  std::int64_t bytes = 64 << 20;  // written and read by each rank
  double seconds = 0.5;           // of replacing and reading a file
};

// The facts of every rank, on every rank. Makes the folder, works in one of its
// own there and removes that again. All ranks must call.
std::vector<FolderFacts> probe_folder(Communicator& comm,
                                      const FolderProbe& probe);

// Rounds of the races for a file, a link and a lock.
inline constexpr int kRaces = 20;

// hosts[r] is rank r's host.
void judge_folder(const std::filesystem::path& folder,
                  const std::vector<FolderFacts>& ranks,
                  const std::vector<std::string>& hosts, Findings& findings);

nlohmann::json to_json(const FolderFacts& facts);

}  // namespace sono
