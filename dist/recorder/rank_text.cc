#include "dist/recorder/rank_text.h"

#include <algorithm>
#include <cstdio>

namespace sono {

std::string rank_text(const RankView& view) {
  return "rank " + std::to_string(view.rank) + " on " + view.host + " (pid " +
         std::to_string(view.pid) + ")";
}

std::string ranks_text(const std::vector<int>& ranks) {
  std::string text = ranks.size() == 1 ? "rank" : "ranks";
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    text += (i == 0 ? " " : ", ") + std::to_string(ranks[i]);
  }
  return text;
}

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f s", std::max(0.0, seconds));
  return text;
}

std::string place_text(const RecordedOperation& operation) {
  std::string text = operation.name + " (number " +
                     std::to_string(operation.sequence) + " of group " +
                     operation.group + ", " + std::to_string(operation.bytes) +
                     " bytes";
  if (operation.bucket >= 0) {
    text += ", bucket " + std::to_string(operation.bucket);
  }
  return text + ")";
}

std::string phase_text(const RankView& view) {
  std::string text = "phase " + std::string(phase_name(view.phase));
  return text + " of step " + std::to_string(view.step);
}

std::string state_text(const RankView& view) {
  std::string text;
  if (view.end == RingEnd::kDone) {
    text = "it has ended";
  } else if (view.end == RingEnd::kFailed) {
    text = "it has ended with an error";
  } else if (view.end == RingEnd::kKilled) {
    text = "it was killed or ended without a word";
  } else {
    text = "it has been in " + phase_text(view) + " for " +
           seconds_text(view.seen - view.phase_since) + " and got on last " +
           seconds_text(view.seen - view.progress_time) + " before";
    if (const RecordedOperation* waiting = view.waiting()) {
      text += ", waiting in " + place_text(*waiting);
    }
  }
  if (view.process == "gone" || view.process == "stopped") {
    text += "; its process is " + view.process;
  }
  return text;
}

}  // namespace sono
