#include "dist/recorder/diagnosis.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "dist/recorder/rank_text.h"

namespace sono {
namespace {

using Ranks = std::vector<std::optional<RankView>>;

// A place in the common sequence: group and number.
using Place = std::pair<std::string, std::uint64_t>;
// What was done there: name and the size that must be equal.
using Deed = std::pair<std::string, std::uint64_t>;

// The first place where two ranks did different things: deed -> ranks.
std::map<Deed, std::vector<int>> first_difference(const Ranks& ranks,
                                                  Place* where) {
  std::map<Place, std::map<Deed, std::vector<int>>> places;
  for (const auto& view : ranks) {
    if (!view) continue;
    for (const RecordedOperation& operation : view->operations) {
      places[{operation.group, operation.sequence}]
            [{operation.name, operation.even_bytes}]
                .push_back(view->rank);
    }
  }
  for (const auto& [place, deeds] : places) {
    if (deeds.size() < 2) continue;
    *where = place;
    return deeds;
  }
  return {};
}

std::string deed_text(const Deed& deed) {
  std::string text = deed.first;
  if (deed.second > 0) {
    text += " of " + std::to_string(deed.second) + " bytes";
  }
  return text;
}

// Ranks that went another way than most. Where there is no majority, nobody
// knows who is right, and all are named.
bool find_desync(const Ranks& ranks, Diagnosis& diagnosis) {
  Place place;
  const auto deeds = first_difference(ranks, &place);
  if (deeds.empty()) return false;
  const auto most = std::max_element(deeds.begin(), deeds.end(),
                                     [](const auto& a, const auto& b) {
                                       return a.second.size() < b.second.size();
                                     });
  const auto rivals =
      std::count_if(deeds.begin(), deeds.end(), [&](const auto& deed) {
        return deed.second.size() == most->second.size();
      });
  for (const auto& [deed, who] : deeds) {
    if (rivals == 1 && deed == most->first) continue;
    diagnosis.culprits.insert(diagnosis.culprits.end(), who.begin(), who.end());
    for (const int rank : who) {
      diagnosis.lines.push_back(
          rank_text(*ranks[rank]) + " did " + deed_text(deed) + " as number " +
          std::to_string(place.second) + " of group " + place.first +
          (rivals == 1 ? ", where " + ranks_text(most->second) + " did " +
                             deed_text(most->first)
                       : "") +
          ": out of step with the others");
    }
  }
  std::sort(diagnosis.culprits.begin(), diagnosis.culprits.end());
  return true;
}

// Number of the last operation of the group that the rank entered; 0: none.
std::uint64_t entered(const RankView& view, const std::string& group) {
  const auto found = view.last.find(group);
  return found == view.last.end() ? 0 : found->second.sequence;
}

// Does a rank that nothing is known of, or that never did anything in this
// group, belong to it? That can be told of the groups of all ranks only.
bool belongs(const std::optional<RankView>& view, const std::string& group) {
  return group == "world" || group == "start" ||
         (view && view->last.count(group));
}

struct Late {
  int rank;
  const RecordedOperation* operation;  // that others wait in
};

std::vector<Late> late_ranks(const Ranks& ranks, double patience_seconds) {
  std::map<int, const RecordedOperation*> late;
  for (const auto& view : ranks) {
    const RecordedOperation* waiting = view ? view->waiting() : nullptr;
    if (waiting == nullptr) continue;
    if (view->seen - waiting->begun < patience_seconds) continue;
    for (std::size_t r = 0; r < ranks.size(); ++r) {
      if (!belongs(ranks[r], waiting->group)) continue;
      if (ranks[r] && entered(*ranks[r], waiting->group) >= waiting->sequence) {
        continue;
      }
      // Held up itself, in an operation that comes before.
      const auto* own = ranks[r] ? ranks[r]->waiting() : nullptr;
      if (own != nullptr && own->group == waiting->group) continue;
      const RecordedOperation*& first = late[static_cast<int>(r)];
      if (first == nullptr || waiting->sequence < first->sequence) {
        first = waiting;
      }
    }
  }
  std::vector<Late> list;
  for (const auto& [rank, operation] : late) list.push_back({rank, operation});
  // Who waits for somebody else is held up too; the others hold up.
  const auto free_of_wait = [&](const Late& entry) {
    return !ranks[entry.rank] || ranks[entry.rank]->waiting() == nullptr;
  };
  if (std::any_of(list.begin(), list.end(), free_of_wait)) {
    std::erase_if(list, [&](const Late& e) { return !free_of_wait(e); });
  }
  return list;
}

bool find_late(const Ranks& ranks, double patience_seconds,
               Diagnosis& diagnosis) {
  for (const auto& [rank, operation] : late_ranks(ranks, patience_seconds)) {
    diagnosis.culprits.push_back(rank);
    if (ranks[rank]) {
      diagnosis.lines.push_back(rank_text(*ranks[rank]) + " never entered " +
                                place_text(*operation) + ": " +
                                state_text(*ranks[rank]));
    } else {
      diagnosis.lines.push_back(
          "rank " + std::to_string(rank) + " never entered " +
          place_text(*operation) +
          ", as far as is known: no recording of it can be read from here (it "
          "runs on another host, or never started)");
    }
  }
  return !diagnosis.culprits.empty();
}

bool find_killed(const Ranks& ranks, Diagnosis& diagnosis) {
  for (const auto& view : ranks) {
    if (!view || view->end != RingEnd::kKilled) continue;
    diagnosis.culprits.push_back(view->rank);
    diagnosis.lines.push_back(rank_text(*view) +
                              " was killed or ended without a word in " +
                              phase_text(*view));
  }
  return !diagnosis.culprits.empty();
}

double newest_beat(const Ranks& ranks) {
  double newest = 0;
  for (const auto& view : ranks) {
    if (view) newest = std::max(newest, view->beat_time);
  }
  return newest;
}

bool find_silent(const Ranks& ranks, Diagnosis& diagnosis) {
  const double now = newest_beat(ranks);
  const auto is_silent = [&](const std::optional<RankView>& view) {
    return view && view->end != RingEnd::kDone &&
           now - view->beat_time > view->step_deadline / 2;
  };
  // After the job all processes are gone, which says nothing. Nor does it of
  // one that gave signs of life until just now, where another is silent: its
  // watchdog was the first to end it.
  const bool some_run = std::any_of(
      ranks.begin(), ranks.end(),
      [](const auto& view) { return view && view->process == "running"; });
  const bool some_silent = std::any_of(ranks.begin(), ranks.end(), is_silent);
  for (const auto& view : ranks) {
    if (!view || view->end == RingEnd::kDone) continue;
    const bool stopped = view->process == "stopped";
    const bool gone = view->process == "gone" && !some_silent;
    if (!is_silent(view) && !((stopped || gone) && some_run)) continue;
    diagnosis.culprits.push_back(view->rank);
    diagnosis.lines.push_back(rank_text(*view) +
                              " has given no sign of life "
                              "for " +
                              seconds_text(now - view->beat_time) + ": " +
                              state_text(*view));
  }
  return !diagnosis.culprits.empty();
}

// All are there and alive, but data do not arrive.
bool find_cut_off(const Ranks& ranks, Diagnosis& diagnosis) {
  std::map<int, std::vector<int>> lacked_by;
  for (const auto& view : ranks) {
    if (!view || view->waiting() == nullptr) continue;
    for (const int peer : view->awaited) lacked_by[peer].push_back(view->rank);
  }
  std::size_t most = 0;
  for (const auto& [rank, by] : lacked_by) most = std::max(most, by.size());
  for (const auto& [rank, by] : lacked_by) {
    if (by.size() < most) continue;
    const bool known = static_cast<std::size_t>(rank) < ranks.size() &&
                       ranks[static_cast<std::size_t>(rank)].has_value();
    diagnosis.culprits.push_back(rank);
    diagnosis.lines.push_back(
        (known ? rank_text(*ranks[static_cast<std::size_t>(rank)])
               : "rank " + std::to_string(rank)) +
        " entered as well, but nothing from it reaches " + ranks_text(by) +
        ": look at the network between them");
  }
  return !diagnosis.culprits.empty();
}

void add_waiters(const Ranks& ranks, Diagnosis& diagnosis) {
  for (const auto& view : ranks) {
    const RecordedOperation* waiting = view ? view->waiting() : nullptr;
    if (waiting == nullptr) continue;
    diagnosis.lines.push_back(
        rank_text(*view) + " waits in " + place_text(*waiting) + " for " +
        seconds_text(view->seen - waiting->begun) + ", " + phase_text(*view));
  }
}

}  // namespace

Diagnosis diagnose(const std::vector<std::optional<RankView>>& ranks,
                   std::optional<int> stuck, double patience_seconds) {
  Diagnosis diagnosis;
  if (find_killed(ranks, diagnosis) || find_desync(ranks, diagnosis) ||
      find_late(ranks, patience_seconds, diagnosis) ||
      find_silent(ranks, diagnosis) || find_cut_off(ranks, diagnosis)) {
    add_waiters(ranks, diagnosis);
    return diagnosis;
  }
  if (!stuck) return diagnosis;
  diagnosis.culprits.push_back(*stuck);
  const auto& view = ranks.at(static_cast<std::size_t>(*stuck));
  diagnosis.lines.push_back(
      view ? rank_text(*view) + " makes no progress: " + state_text(*view)
           : "rank " + std::to_string(*stuck) + " makes no progress");
  add_waiters(ranks, diagnosis);
  return diagnosis;
}

}  // namespace sono
