#include "dist/host_share.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "dist/recorder/rank_files.h"

namespace sono {

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

// "200000 100000" are two cores, "max 100000" is no bound.
double cpu_quota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  return std::atof(quota.c_str()) / period;
}

double usable_cores(const std::vector<int>& cpus, double quota) {
  const std::set<int> different(cpus.begin(), cpus.end());
  const auto cores =
      static_cast<double>(std::max<std::size_t>(different.size(), 1));
  return quota > 0 ? std::min(quota, cores) : cores;
}

HostShare share_of_host(Communicator& comm) {
  const nlohmann::json own = {
      {"host", host_name()}, {"cpus", allowed_cpus()}, {"quota", cpu_quota()}};
  std::map<std::string, int> ranks;
  std::vector<int> cpus;
  double quota = 0;
  for (const std::string& text : gather_strings(comm, own.dump())) {
    const auto other = nlohmann::json::parse(text);
    ++ranks[other.at("host")];
    if (other.at("host") != own.at("host")) continue;
    for (const int cpu : other.at("cpus")) cpus.push_back(cpu);
    quota = std::max(quota, other.at("quota").get<double>());
  }
  HostShare share;
  share.ranks_here = ranks[own.at("host")];
  for (const auto& [host, count] : ranks) {
    share.most_ranks = std::max(share.most_ranks, count);
  }
  share.cores = usable_cores(cpus, quota);
  return share;
}

}  // namespace sono
