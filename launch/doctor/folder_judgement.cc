// What the facts of launch/doctor/folder_probe.h mean.

#include <algorithm>
#include <cstdio>
#include <map>

#include "launch/doctor/folder_probe.h"

namespace sono {
namespace {

constexpr double kSlowRename = 1;  // seconds until seen elsewhere
constexpr double kClockSkew = 2;   // seconds

struct Folder {
  const std::string topic;
  const std::vector<FolderFacts>& ranks;
  const std::vector<std::string>& hosts;
  Findings& findings;

  std::string name(std::size_t r) const {
    return "rank " + std::to_string(r) + " on " + hosts[r];
  }
};

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof(text), seconds < 0.1 ? "%.1f ms" : "%.2f s",
                seconds < 0.1 ? seconds * 1e3 : seconds);
  return text;
}

// False when there is nothing more to judge.
bool judge_sight(const Folder& folder) {
  if (!folder.ranks[0].seen && !folder.ranks[0].error.empty()) {
    folder.findings.fail(folder.topic, folder.ranks[0].error,
                         "name a folder that you may write to", 2);
    return false;
  }
  for (std::size_t r = 0; r < folder.ranks.size(); ++r) {
    if (folder.ranks[r].seen) continue;
    folder.findings.fail(
        folder.topic,
        "not shared: " + folder.name(r) + " does not see within 30 s what " +
            folder.name(0) + " made there",
        "name a folder on a file system that all hosts mount at one path", 2);
    return false;
  }
  for (std::size_t r = 0; r < folder.ranks.size(); ++r) {
    if (folder.ranks[r].error.empty()) continue;
    folder.findings.fail(folder.topic,
                         folder.name(r) + ": " + folder.ranks[r].error,
                         "look at the mount on that host; a run would fail "
                         "there too",
                         4);
    return false;
  }
  return true;
}

// Each round must have exactly one winner.
void judge_race(const Folder& folder, const std::string& what,
                std::vector<int> FolderFacts::*wins,
                const std::string& consequence, const std::string& remedy,
                bool fatal) {
  std::map<int, int> winners;
  for (const FolderFacts& rank : folder.ranks) {
    for (const int round : rank.*wins) ++winners[round];
  }
  int wrong = 0;
  for (int round = 0; round < kRaces; ++round) wrong += winners[round] != 1;
  if (wrong == 0) {
    return folder.findings.fine(
        folder.topic, what + ": one winner among " +
                          std::to_string(folder.ranks.size()) + " in each of " +
                          std::to_string(kRaces) + " races");
  }
  const std::string text = what + ": " + std::to_string(wrong) + " of " +
                           std::to_string(kRaces) +
                           " races without exactly one winner; " + consequence;
  if (fatal) return folder.findings.fail(folder.topic, text, remedy, 4);
  folder.findings.warn(folder.topic, text, remedy);
}

void judge_races(const Folder& folder) {
  judge_race(
      folder, "O_EXCL", &FolderFacts::created, "work would be done twice",
      "mount NFS with version 3 or newer, or use another file system", true);
  judge_race(folder, "hard links", &FolderFacts::linked,
             "shards would be lost or doubled",
             "use a file system with hard links for the run's folder", true);
  judge_race(folder, "flock", &FolderFacts::locked,
             "two hosts may write one embedding cache",
             "mount with locks (Lustre: -o flock; NFS: no nolock), or give "
             "each host a place.cache of its own",
             false);
}

void judge_renames(const Folder& folder) {
  std::int64_t reads = 0;
  for (std::size_t r = 0; r < folder.ranks.size(); ++r) {
    const FolderFacts& rank = folder.ranks[r];
    reads += rank.reads;
    if (rank.torn == 0) continue;
    return folder.findings.fail(
        folder.topic,
        "rename is not atomic: " + folder.name(r) + " read " +
            std::to_string(rank.torn) + " of " + std::to_string(rank.reads) +
            " times neither the old file nor the new one",
        "use another file system; checkpoints and manifests rely on rename", 4);
  }
  std::int64_t missing = 0;
  for (const FolderFacts& rank : folder.ranks) missing += rank.missing;
  if (missing > 0) {
    return folder.findings.warn(
        folder.topic,
        "a file that is replaced by rename was missing for " +
            std::to_string(missing) + " of " + std::to_string(reads) + " reads",
        "on NFS mount with lookupcache=none or a small actimeo");
  }
  folder.findings.fine(folder.topic,
                       "rename is atomic: " + std::to_string(reads) +
                           " reads while a file was replaced");
}

void judge_delay(const Folder& folder) {
  if (folder.ranks.size() == 1) return;
  const auto slowest = std::max_element(
      folder.ranks.begin(), folder.ranks.end(),
      [](const auto& a, const auto& b) { return a.delay < b.delay; });
  const auto r = static_cast<std::size_t>(slowest - folder.ranks.begin());
  const std::string text =
      "a renamed file is seen after " + seconds_text(slowest->delay) +
      " at most (" + folder.name(r) + ", made by " +
      folder.name(static_cast<std::size_t>(slowest->delayed_by)) + ")";
  if (slowest->delay < kSlowRename) {
    return folder.findings.fine(folder.topic, text);
  }
  folder.findings.warn(folder.topic, text,
                       "on NFS mount with lookupcache=positive or a small "
                       "acdirmax; workers find new work that much later");
}

// Leases compare no clocks; log lines and people do.
void judge_clock(const Folder& folder) {
  for (std::size_t r = 0; r < folder.ranks.size(); ++r) {
    const double ahead = folder.ranks[r].clock_ahead;
    if (std::abs(ahead) < kClockSkew) continue;
    folder.findings.warn(folder.topic,
                         "its server's clock is " + seconds_text(ahead) +
                             " ahead of " + folder.name(r),
                         "run chrony or ntpd on both; results do not depend "
                         "on clocks, times in logs do");
  }
}

void judge_rates(const Folder& folder) {
  double write = 0, read = 0;
  for (const FolderFacts& rank : folder.ranks) {
    write += rank.write_rate;
    read += rank.read_rate;
  }
  const DiskSpace& space = folder.ranks[0].space;
  folder.findings.note(
      folder.topic, (space.type.empty() ? "" : space.type + ", ") +
                        bytes_text(static_cast<double>(space.free_bytes)) +
                        (space.quota ? " left of the quota" : " free") +
                        "; all ranks at " + "once write " + bytes_text(write) +
                        "/s (with fsync), read " + bytes_text(read) + "/s");
  if (space.type == "tmpfs" || space.type == "ramfs") {
    folder.findings.warn(
        folder.topic,
        "lies in memory (" + space.type + "): a restart of the host loses it",
        "name a folder on a disk for what is to last");
  }
}

}  // namespace

void judge_folder(const std::filesystem::path& path,
                  const std::vector<FolderFacts>& ranks,
                  const std::vector<std::string>& hosts, Findings& findings) {
  const Folder folder{"folder " + path.string(), ranks, hosts, findings};
  if (!judge_sight(folder)) return;
  judge_races(folder);
  judge_renames(folder);
  judge_delay(folder);
  judge_clock(folder);
  judge_rates(folder);
}

}  // namespace sono
