#include "launch/doctor/rank_facts.h"

#include <ATen/Version.h>
#include <dlfcn.h>
#include <sched.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "dist/launch_environment.h"
#include "dist/mpi/communicator.h"
#include "dist/nccl/communicator.h"
#include "dist/recorder/rank_files.h"
#include "trainer/machine_kind.h"

namespace sono {
namespace {

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) cpus.push_back(i);
  }
  return cpus;
}

// cgroup v2: "200000 100000" are two cores, "max 100000" is no bound.
double cpu_quota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  return std::atof(quota.c_str()) / period;
}

std::int64_t memory_line(const std::string& name) {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":")) {
      return std::atoll(line.c_str() + name.size() + 1) * 1024;
    }
  }
  return 0;
}

// The version that the wheel of the loaded libtorch_cpu.so says beside it:
// LibTorch itself tells only what was compiled against.
std::string libtorch_running() {
  Dl_info info = {};
  if (::dladdr(reinterpret_cast<const void*>(&at::get_cpu_capability), &info) ==
          0 ||
      info.dli_fname == nullptr) {
    return "";
  }
  std::ifstream file(
      std::filesystem::path(info.dli_fname).parent_path().parent_path() /
      "version.py");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("__version__")) continue;
    const auto begin = line.find('\'') + 1;
    return line.substr(begin, line.find_first_of("+'", begin) - begin);
  }
  return "";
}

std::vector<LibraryVersion> libraries() {
  const MpiVersions mpi = mpi_versions();
  const NcclVersions nccl = nccl_versions();
  return {{"MPI", mpi.built, mpi.running},
          {"NCCL", nccl.built, nccl.running},
          {"LibTorch", TORCH_VERSION, libtorch_running()}};
}

std::string rank_name(const std::vector<RankFacts>& ranks, std::size_t r) {
  return "rank " + std::to_string(r) + " on " + ranks[r].host;
}

}  // namespace

RankFacts look_at_rank() {
  RankFacts facts;
  facts.host = host_name();
  facts.local_rank = launch_place(process_environment()).local_rank;
  facts.cpus = allowed_cpus();
  facts.cpu_quota = cpu_quota();
  facts.memory_bytes = memory_line("MemTotal");
  facts.available_bytes = memory_line("MemAvailable");
  facts.machine = machine_kind();
  facts.libraries = libraries();
  facts.devices = look_at_devices();
  return facts;
}

nlohmann::json to_json(const RankFacts& facts) {
  nlohmann::json versions = nlohmann::json::array();
  for (const LibraryVersion& library : facts.libraries) {
    versions.push_back({{"name", library.name},
                        {"built", library.built},
                        {"running", library.running}});
  }
  return {{"host", facts.host},
          {"local_rank", facts.local_rank},
          {"cpus", facts.cpus},
          {"cpu_quota", facts.cpu_quota},
          {"memory_bytes", facts.memory_bytes},
          {"available_bytes", facts.available_bytes},
          {"machine", facts.machine},
          {"libraries", versions},
          {"devices", to_json(facts.devices)}};
}

RankFacts facts_from_json(const nlohmann::json& json) {
  RankFacts facts;
  json.at("host").get_to(facts.host);
  json.at("local_rank").get_to(facts.local_rank);
  json.at("cpus").get_to(facts.cpus);
  json.at("cpu_quota").get_to(facts.cpu_quota);
  json.at("memory_bytes").get_to(facts.memory_bytes);
  json.at("available_bytes").get_to(facts.available_bytes);
  facts.machine = json.at("machine");
  for (const auto& library : json.at("libraries")) {
    facts.libraries.push_back(
        {library.at("name"), library.at("built"), library.at("running")});
  }
  facts.devices = devices_from_json(json.at("devices"));
  return facts;
}

std::vector<RankFacts> gather_facts(Communicator& comm) {
  std::vector<RankFacts> ranks;
  for (const auto& text :
       gather_strings(comm, to_json(look_at_rank()).dump())) {
    ranks.push_back(facts_from_json(nlohmann::json::parse(text)));
  }
  return ranks;
}

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
  std::set<int> cpus;
  double quota = 0;
  for (const RankFacts& rank : ranks) {
    if (rank.host != ranks[r].host) continue;
    cpus.insert(rank.cpus.begin(), rank.cpus.end());
    quota = std::max(quota, rank.cpu_quota);
  }
  const auto cores = static_cast<double>(std::max<std::size_t>(cpus.size(), 1));
  return quota > 0 ? std::min(quota, cores) : cores;
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
