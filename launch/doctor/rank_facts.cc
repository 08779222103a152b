#include "launch/doctor/rank_facts.h"

#include <ATen/Version.h>
#include <dlfcn.h>
#include <torch/version.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "dist/host_share.h"
#include "dist/launch_environment.h"
#include "dist/mpi/communicator.h"
#include "dist/nccl/communicator.h"
#include "dist/recorder/rank_files.h"
#include "trainer/machine_kind.h"

namespace sono {
namespace {

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

}  // namespace sono
