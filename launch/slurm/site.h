#pragma once
// What a cluster wants of every job: one small INI file that a lab writes once.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/option.h"

namespace sono {

struct SiteConfig {
  std::string partition, account, qos;  // empty: the cluster's default
  std::string time;  // limit of one start of a job, as sbatch reads it
  int gpus_per_node = 0;
  int ranks_per_node = 0;  // 0: one a GPU, one where there are none
  int cpus_per_rank = 1;
  std::string memory_per_cpu;        // as sbatch reads it; empty: the default
  std::vector<std::string> modules;  // to load, in order
  std::string setup;                 // a bash file to source; empty: none
  std::string container;  // command that runs what follows in a container
  std::string program;    // sonoforge as jobs find it; empty: this one
  std::string launcher = "auto";  // auto | srun | mpirun

  // Before the time limit ends a job, seconds: it saves and stops.
  int margin_seconds = 120;
  int max_restarts = 50;  // of one job
  // So many starts in a row that find nothing new since the start before end a
  // job.
  int idle_restarts = 2;

  std::map<std::string, std::string> sbatch;       // NAME: --NAME=value
  std::map<std::string, std::string> environment;  // NAME: export NAME=value

  int ranks() const;  // a node
  // The container's command as words; quotes and backslashes hold blanks.
  std::vector<std::string> container_words() const;
  // ConfigError naming the option that is wrong.
  void validate() const;
};

void describe(OptionTable& table, SiteConfig& site);

// The file to read: `given`, else $SONO_SITE, else ~/.config/sonoforge/site.ini
// where that exists, else none.
std::filesystem::path find_site_file(const std::string& given);

}  // namespace sono
