#pragma once
// What one rank found out about a shared folder.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/disk_space.h"

namespace sono {

// Rounds of the races for a file, a link and a lock.
inline constexpr int kRaces = 20;

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

nlohmann::json to_json(const FolderFacts& facts);
FolderFacts folder_from_json(const nlohmann::json& json);

}  // namespace sono
