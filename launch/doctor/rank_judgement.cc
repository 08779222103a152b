// What the facts of launch/doctor/rank_facts.h mean.

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "dist/host_share.h"
#include "launch/doctor/rank_facts.h"

namespace sono {
namespace {

std::string rank_name(const std::vector<RankFacts>& ranks, std::size_t r) {
  return "rank " + std::to_string(r) + " on " + ranks[r].host;
}

}  // namespace

std::vector<std::string> hosts_of(const std::vector<RankFacts>& ranks) {
  std::vector<std::string> hosts;
  for (const RankFacts& rank : ranks) hosts.push_back(rank.host);
  return hosts;
}

int ranks_on_host(const std::vector<RankFacts>& ranks, int r) {
  int count = 0;
  for (const RankFacts& rank : ranks) count += rank.host == ranks[r].host;
  return count;
}

double cores_of_host(const std::vector<RankFacts>& ranks, int r) {
  std::vector<int> cpus;
  double quota = 0;
  for (const RankFacts& rank : ranks) {
    if (rank.host != ranks[r].host) continue;
    cpus.insert(cpus.end(), rank.cpus.begin(), rank.cpus.end());
    quota = std::max(quota, rank.cpu_quota);
  }
  return usable_cores(cpus, quota);
}

bool crowded(const std::vector<RankFacts>& ranks) {
  for (int r = 0; r < std::ssize(ranks); ++r) {
    if (ranks_on_host(ranks, r) > cores_of_host(ranks, r)) return true;
  }
  return false;
}

namespace {

void judge_kinds(const std::vector<RankFacts>& ranks, Findings& findings) {
  for (std::size_t r = 1; r < ranks.size(); ++r) {
    if (ranks[r].machine == ranks[0].machine) continue;
    findings.fail("machine",
                  rank_name(ranks, 0) + " is " + ranks[0].machine.dump() +
                      ", " + rank_name(ranks, r) + " is " +
                      ranks[r].machine.dump() + ": a run refuses such a mix",
                  "start all ranks on nodes of one kind (srun --constraint)",
                  2);
    return;
  }
  findings.fine("machine", "all ranks: " + ranks[0].machine.dump());
}

void judge_hosts(const std::vector<RankFacts>& ranks,
                 const RankDemands& demands, Findings& findings) {
  std::set<std::string> seen;
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    if (!seen.insert(ranks[r].host).second) continue;
    const int count = ranks_on_host(ranks, static_cast<int>(r));
    const double cores = cores_of_host(ranks, static_cast<int>(r));
    char text[160];
    std::snprintf(text, sizeof(text),
                  ": %d rank%s%s, %g cores, %.3g GB of memory", count,
                  count == 1 ? "" : "s", demands.threads ? " as threads" : "",
                  cores, static_cast<double>(ranks[r].memory_bytes) / 1e9);
    if (count <= cores) {
      findings.fine("hosts", ranks[r].host + text);
      continue;
    }
    findings.warn("hosts",
                  ranks[r].host + text + ": ranks share cores and gain nothing",
                  "start at most one rank a core there; under mpirun look at "
                  "--bind-to, under srun at --cpus-per-task");
  }
}

// Versions that differ between ranks, and between building and running.
void judge_library(const std::vector<RankFacts>& ranks, std::size_t index,
                   Findings& findings) {
  const LibraryVersion& first = ranks[0].libraries[index];
  if (first.built.empty()) {
    return findings.note("libraries", first.name + ": not built in");
  }
  for (std::size_t r = 1; r < ranks.size(); ++r) {
    const LibraryVersion& other = ranks[r].libraries[index];
    if (other.running == first.running) continue;
    return findings.fail("libraries",
                         first.name + " is " + first.running + " for " +
                             rank_name(ranks, 0) + " and " + other.running +
                             " for " + rank_name(ranks, r),
                         "give all hosts one installation; look at "
                         "LD_LIBRARY_PATH and loaded modules",
                         2);
  }
  if (first.running != first.built) {
    return findings.warn(
        "libraries",
        first.name + ": built against " + first.built + ", running with " +
            (first.running.empty() ? "an unknown version" : first.running),
        "load the module that the program was built with, or "
        "build it again with this one");
  }
  findings.fine("libraries",
                first.name + " " + first.running + ", as built, on all ranks");
}

// By local rank each rank takes one of the GPUs that it sees.
void judge_sharing(const std::vector<RankFacts>& ranks, bool wanted,
                   Findings& findings) {
  std::map<std::pair<std::string, std::string>, std::size_t> owners;
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    const auto& gpus = ranks[r].devices.gpus;
    if (gpus.empty()) continue;
    const auto place =
        static_cast<std::size_t>(std::max(ranks[r].local_rank, 0));
    const Gpu& gpu = gpus[place % gpus.size()];
    const auto [owner, is_new] = owners.insert({{ranks[r].host, gpu.uuid}, r});
    if (is_new) continue;
    const std::string text = rank_name(ranks, owner->second) + " and " +
                             rank_name(ranks, r) + " would share " + gpu.name +
                             " " + gpu.uuid;
    const std::string remedy =
        "start at most one rank a GPU (srun --gpus-per-task=1)";
    if (wanted) return findings.fail("devices", text, remedy, 2);
    return findings.warn("devices", text + " if they computed on GPUs", remedy);
  }
}

}  // namespace

void judge_ranks(const std::vector<RankFacts>& ranks,
                 const RankDemands& demands, Findings& findings) {
  judge_hosts(ranks, demands, findings);
  judge_kinds(ranks, findings);
  for (std::size_t i = 0; i < ranks[0].libraries.size(); ++i) {
    judge_library(ranks, i, findings);
  }
  std::set<std::string> seen;
  for (const RankFacts& rank : ranks) {
    if (!seen.insert(rank.host).second) continue;
    judge_devices(rank.host, rank.devices, demands.gpus, findings);
  }
  judge_sharing(ranks, demands.gpus, findings);
}

}  // namespace sono
