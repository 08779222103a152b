#pragma once
// What a rank is and where it runs, and whether the ranks fit together.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dist/communicator.h"
#include "launch/doctor/devices.h"
#include "launch/doctor/findings.h"

namespace sono {

// Versions as compiled against and as found when the program runs.
struct LibraryVersion {
  std::string name, built, running;
};

struct RankFacts {
  std::string host;
  int local_rank = -1;    // as the launcher says; -1: not told
  std::vector<int> cpus;  // that the rank may run on
  double cpu_quota = 0;   // cores that the control group grants; 0: no bound
  std::int64_t memory_bytes = 0;     // of the host
  std::int64_t available_bytes = 0;  // of it
  nlohmann::json machine;            // machine_kind()
  std::vector<LibraryVersion> libraries;
  DeviceFacts devices;
};

RankFacts look_at_rank();
nlohmann::json to_json(const RankFacts& facts);
RankFacts facts_from_json(const nlohmann::json& json);
// By rank, on every rank. All ranks must call.
std::vector<RankFacts> gather_facts(Communicator& comm);

// Cores that all ranks of rank r's host may use together.
double cores_of_host(const std::vector<RankFacts>& ranks, int r);
// How many ranks run on rank r's host.
int ranks_on_host(const std::vector<RankFacts>& ranks, int r);
// True when some host has more ranks than cores.
bool crowded(const std::vector<RankFacts>& ranks);
std::vector<std::string> hosts_of(const std::vector<RankFacts>& ranks);

struct RankDemands {
  bool threads = false;  // the ranks are threads of one process
  bool gpus = false;     // they are to compute on GPUs
};

// Kind of machine, hosts with ranks and cores, libraries, devices.
void judge_ranks(const std::vector<RankFacts>& ranks,
                 const RankDemands& demands, Findings& findings);

}  // namespace sono
