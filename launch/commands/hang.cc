// `sonoforge hang DIR`: which rank holds the others up, and where.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>

#include "core/error.h"
#include "dist/recorder/diagnosis.h"
#include "dist/recorder/rank_files.h"
#include "dist/recorder/rank_text.h"
#include "launch/commands/commands.h"
#include "launch/options/command_line.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

constexpr int kExitStuck = 4;
// Shorter waits are part of any run that is at work.
constexpr double kPatienceSeconds = 2;
// Statuses are written at least this often.
constexpr double kFreshSeconds = 12;

// Rank number to what is known of it.
using Views = std::map<int, RankView>;

// A recording of a process that is gone, or a copy, shows the rank's last
// moment: its watchdog's last beat.
std::optional<RankView> read_recording(const fs::path& path) {
  auto view = read_ring(path);
  if (!view) return std::nullopt;
  if (path == kept_ring_path(path.parent_path(), view->rank)) {
    view->process.clear();
    view->seen = view->beat_time;
  } else if (view->process == "gone") {
    view->seen = view->beat_time;
  }
  return view;
}

// The better of a rank's status and, where it can be read from here, its ring.
std::optional<RankView> read_published(const fs::path& path) {
  const auto status = read_status(path);
  if (!status) return std::nullopt;
  auto ring = read_recording(status->ring);
  return ring && ring->job == status->job ? ring : status;
}

// Rings count for more than statuses: they hold the operations too.
void add(Views& views, std::optional<RankView> view) {
  if (!view) return;
  auto [place, is_new] = views.insert({view->rank, *view});
  if (!is_new && place->second.operations.empty()) place->second = *view;
}

// Copies before what is there now: they were made when the job stalled, while a
// rank that was stopped is woken when the job is ended, and writes on.
std::map<std::string, Views> read_jobs(const fs::path& folder) {
  std::vector<fs::path> statuses;
  std::map<std::string, Views> jobs;
  const auto take = [&](const std::optional<RankView>& view) {
    if (view) add(jobs[view->job], view);
  };
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto ending = entry.path().extension();
    if (ending == ".ring") take(read_recording(entry.path()));
    if (ending == ".json") statuses.push_back(entry.path());
  }
  for (const auto& path : statuses) take(read_published(path));
  return jobs;
}

// The job that was at work last; a folder of rings may hold several.
Views newest_job(const std::map<std::string, Views>& jobs) {
  const Views* newest = nullptr;
  double time = 0;
  for (const auto& [name, views] : jobs) {
    for (const auto& [rank, view] : views) {
      if (newest != nullptr && view.beat_time <= time) continue;
      newest = &views;
      time = view.beat_time;
    }
  }
  return newest == nullptr ? Views() : *newest;
}

std::vector<std::optional<RankView>> by_rank(const Views& views) {
  std::size_t count = 0;
  for (const auto& [rank, view] : views) {
    count = std::max({count, static_cast<std::size_t>(view.world_size),
                      static_cast<std::size_t>(rank) + 1});
  }
  // What a rank was doing lasted until the last of them was heard of.
  double last_beat = 0;
  for (const auto& [rank, view] : views) {
    last_beat = std::max(last_beat, view.beat_time);
  }
  std::vector<std::optional<RankView>> ranks(count);
  for (const auto& [rank, view] : views) {
    auto& place = ranks[static_cast<std::size_t>(rank)];
    place = view;
    place->seen = std::max(view.seen, last_beat);
  }
  return ranks;
}

bool at_work(const std::vector<std::optional<RankView>>& ranks) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const double seconds = std::chrono::duration<double>(now).count();
  return std::any_of(ranks.begin(), ranks.end(), [&](const auto& view) {
    return view && view->end == RingEnd::kRunning &&
           (view->process == "running" ||
            (view->process.empty() && seconds - view->seen < kFreshSeconds));
  });
}

// One line a rank: what it did last.
void print_ranks(const std::vector<std::optional<RankView>>& ranks) {
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    if (!ranks[r]) {
      std::printf("rank %zu: no recording\n", r);
      continue;
    }
    const RankView& view = *ranks[r];
    std::printf("%s: phase %s of step %lld", rank_text(view).c_str(),
                std::string(phase_name(view.phase)).c_str(),
                static_cast<long long>(view.step));
    for (const auto& [group, operation] : view.last) {
      std::printf(", %s %s (number %llu of group %s)",
                  operation.done ? "done with" : "in", operation.name.c_str(),
                  static_cast<unsigned long long>(operation.sequence),
                  group.c_str());
    }
    std::printf("\n");
  }
}

}  // namespace

int hang_command(const Arguments& args) {
  std::string path;
  CommandLine line(
      "hang DIR",
      "Says which rank holds the others up, in which operation and "
      "phase, on which host,\nfrom the recordings of a run that "
      "hangs or has ended. Ends with 4 when a rank is\nstuck and "
      "with 0 when none is.");
  line.argument("DIR", &path,
                "a run's folder, or one that holds .ring files ($TMPDIR)");
  if (!line.parse(args)) return 0;
  if (!fs::is_directory(path)) throw DataError(path + ": no such folder");
  fs::path folder = recorder_folder(path);
  if (!fs::is_directory(folder)) folder = path;
  const auto ranks = by_rank(newest_job(read_jobs(folder)));
  if (ranks.empty()) {
    std::printf("%s: no stuck rank: no recordings there\n", path.c_str());
    return 0;
  }
  print_ranks(ranks);
  const Diagnosis diagnosis =
      diagnose(ranks, std::nullopt, at_work(ranks) ? kPatienceSeconds : 0);
  for (const std::string& text : diagnosis.lines) {
    std::printf("%s\n", text.c_str());
  }
  if (diagnosis.culprits.empty()) std::printf("no stuck rank\n");
  return diagnosis.culprits.empty() ? 0 : kExitStuck;
}

}  // namespace sono
