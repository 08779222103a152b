#pragma once
// How ranks, and what they do, are called in messages.

#include <string>
#include <vector>

#include "dist/recorder/rank_view.h"

namespace sono {

// "rank 3 on node7 (pid 4242)".
std::string rank_text(const RankView& view);
// "rank 3" or "ranks 0, 2".
std::string ranks_text(const std::vector<int>& ranks);
// "61.2 s".
std::string seconds_text(double seconds);
// "all_reduce (number 41 of group world, 8 bytes)".
std::string place_text(const RecordedOperation& operation);
// "phase forward of step 12".
std::string phase_text(const RankView& view);
// What a rank does now and for how long, with what is known of its process.
std::string state_text(const RankView& view);

}  // namespace sono
