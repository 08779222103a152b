#include "dist/roll_call.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"

namespace sono {
namespace {

std::string name_of(const RankIdentity& rank) {
  return "rank " + std::to_string(rank.rank) + " on " + rank.host;
}

void check_programs(const std::vector<RankIdentity>& ranks) {
  for (const RankIdentity& rank : ranks) {
    if (rank.program == ranks[0].program) continue;
    throw ConfigError(
        "the program differs between ranks: " + name_of(ranks[0]) + " runs " +
        ranks[0].program.substr(0, 12) + ", " + name_of(rank) + " runs " +
        rank.program.substr(0, 12) + "; install one build on all hosts");
  }
}

void check_devices(const std::vector<RankIdentity>& ranks) {
  std::map<std::pair<std::string, std::string>, const RankIdentity*> owners;
  for (const RankIdentity& rank : ranks) {
    if (rank.device == "cpu") continue;
    const auto [place, is_new] =
        owners.insert({{rank.host, rank.device}, &rank});
    if (is_new) continue;
    throw ConfigError(
        name_of(*place->second) + " and " + name_of(rank) +
        " would share the device " + rank.device +
        "; start at most one rank a device on each host, and look at "
        "CUDA_VISIBLE_DEVICES (srun: --gpus-per-task=1)");
  }
}

void check_local_ranks(const std::vector<RankIdentity>& ranks) {
  std::map<std::string, std::map<int, const RankIdentity*>> hosts;
  std::map<std::string, int> counts;
  for (const RankIdentity& rank : ranks) ++counts[rank.host];
  for (const RankIdentity& rank : ranks) {
    if (rank.local_rank < 0) continue;
    if (rank.local_rank >= counts[rank.host]) {
      throw ConfigError(name_of(rank) + " was given local rank " +
                        std::to_string(rank.local_rank) + ", but only " +
                        std::to_string(counts[rank.host]) +
                        " ranks run there; start all ranks with one mpirun or "
                        "srun, and give each host a name of its own");
    }
    const auto [place, is_new] =
        hosts[rank.host].insert({rank.local_rank, &rank});
    if (is_new) continue;
    throw ConfigError(name_of(*place->second) + " and " + name_of(rank) +
                      " were both given local rank " +
                      std::to_string(rank.local_rank) +
                      "; do not set OMPI_COMM_WORLD_LOCAL_RANK or "
                      "SLURM_LOCALID yourself");
  }
}

}  // namespace

void check_identities(const std::vector<RankIdentity>& ranks) {
  check_programs(ranks);
  check_local_ranks(ranks);
  check_devices(ranks);
}

std::vector<RankIdentity> call_roll(Communicator& comm,
                                    const RankIdentity& own) {
  const nlohmann::json entry = {{"local_rank", own.local_rank},
                                {"host", own.host},
                                {"device", own.device},
                                {"program", own.program}};
  std::vector<RankIdentity> ranks;
  for (const std::string& text : gather_strings(comm, entry.dump())) {
    const auto json = nlohmann::json::parse(text);
    ranks.push_back({static_cast<int>(ranks.size()), json.at("local_rank"),
                     json.at("host"), json.at("device"), json.at("program")});
  }
  check_identities(ranks);
  return ranks;
}

}  // namespace sono
