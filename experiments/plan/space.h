#pragma once
// How much room a recipe takes on the disk, and whether it is there.

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/disk_space.h"
#include "experiments/plan/plan.h"

namespace sono {

struct SpaceNeed {
  std::int64_t embeddings = 0;  // bytes, as all; bounded by place.cache_gb
  std::int64_t checkpoints = 0;
  std::int64_t shards = 0;       // uncompressed: at most
  std::int64_t most_bytes = 0;   // all of these
  std::int64_t least_bytes = 0;  // shards as small as PNG makes them
  std::int64_t files = 0;

  bool large() const;                          // worth a look before it begins
  bool exceeds(const DiskSpace& space) const;  // for certain
  bool may_exceed(const DiskSpace& space) const;
  // "embeddings 1.2 GB, checkpoints ..., shards at most ..., 1234 files".
  std::string text() const;
};

SpaceNeed space_need(const Recipe& recipe, const Plan& plan);

// "12 GB and 1234567 files free", "... left of the quota".
std::string space_text(const DiskSpace& space);

// Before a large run begins: ResourceError when it cannot end for want of room
// at `out`, a warning in the log when it may not.
void check_space(const Recipe& recipe, const std::filesystem::path& out);

}  // namespace sono
