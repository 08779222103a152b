#pragma once
// Who holds the others up, from what is known of each rank.

#include <optional>
#include <string>
#include <vector>

#include "dist/recorder/rank_view.h"

namespace sono {

struct Diagnosis {
  std::vector<int> culprits;  // ascending; empty: nobody is held up
  // One line a culprit, then one a rank that waits.
  std::vector<std::string> lines;
};

// ranks[r] is rank r, empty where nothing of it can be read. Culprits are, by
// the first of these rules that finds any:
//  0. ranks that were killed;
//  1. ranks that did another operation than most at one place of a sequence;
//  2. ranks that have not entered an operation in which others wait;
//  3. ranks whose process is stopped, or whose watchdog is silent; where none
//  is, ranks whose process alone is gone;
//  4. where all have entered: those whose data most of the others lack;
//  5. `stuck`, a rank that makes no progress by itself.
// Waits of less than `patience_seconds` count for nothing.
Diagnosis diagnose(const std::vector<std::optional<RankView>>& ranks,
                   std::optional<int> stuck = std::nullopt,
                   double patience_seconds = 0);

}  // namespace sono
