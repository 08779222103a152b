#include "launch/slurm/site.h"

#include <algorithm>
#include <boost/program_options/parsers.hpp>
#include <cctype>
#include <cstdlib>

#include "core/error.h"

namespace sono {
namespace {

// What the batch scripts set themselves.
const std::map<std::string, std::string>& own_lines() {
  static const std::map<std::string, std::string> kOwn = {
      {"array", "--workers"},
      {"chdir", "the folder that submit is called in"},
      {"cpus-per-task", "site.cpus_per_rank"},
      {"dependency", "submit"},
      {"error", "submit"},
      {"gpus", "site.gpus_per_node"},
      {"gpus-per-node", "site.gpus_per_node"},
      {"job-name", "the run's folder"},
      {"mem-per-cpu", "site.memory_per_cpu"},
      {"no-requeue", "restart.most"},
      {"nodes", "--nodes"},
      {"ntasks", "--nodes and site.ranks_per_node"},
      {"ntasks-per-node", "site.ranks_per_node"},
      {"open-mode", "submit"},
      {"output", "the run's folder"},
      {"partition", "site.partition"},
      {"account", "site.account"},
      {"qos", "site.qos"},
      {"requeue", "restart.most"},
      {"signal", "restart.margin_seconds"},
      {"time", "site.time or --time"},
      {"wrap", "submit"},
  };
  return kOwn;
}

bool is_name(const std::string& text, bool (*fits)(char)) {
  return !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) &&
         std::all_of(text.begin(), text.end(), fits);
}

bool in_long_option(char c) {
  return std::islower(static_cast<unsigned char>(c)) ||
         std::isdigit(static_cast<unsigned char>(c)) || c == '-';
}

bool in_variable(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

void check_sbatch_names(const std::map<std::string, std::string>& lines) {
  for (const auto& [name, value] : lines) {
    if (!is_name(name, in_long_option)) {
      throw ConfigError("option sbatch." + name +
                        ": not the long name of an option of sbatch, as in "
                        "'[sbatch] constraint = a100'");
    }
    const auto own = own_lines().find(name);
    if (own == own_lines().end()) continue;
    throw ConfigError("option sbatch." + name + ": is set by " + own->second +
                      "; leave it out of [sbatch]");
  }
}

void check_variables(const std::map<std::string, std::string>& variables) {
  for (const auto& [name, value] : variables) {
    if (is_name(name, in_variable)) continue;
    throw ConfigError("option environment." + name +
                      ": not the name of an environment variable");
  }
}

}  // namespace

int SiteConfig::ranks() const {
  if (ranks_per_node > 0) return ranks_per_node;
  return std::max(gpus_per_node, 1);
}

std::vector<std::string> SiteConfig::container_words() const {
  return boost::program_options::split_unix(container);
}

void SiteConfig::validate() const {
  check_range("site.gpus_per_node", gpus_per_node, 0, 64);
  check_range("site.ranks_per_node", ranks_per_node, 0, 1024);
  check_range("site.cpus_per_rank", cpus_per_rank, 1, 1024);
  check_choice("site.launcher", launcher, {"auto", "srun", "mpirun"});
  // sbatch takes at most 65535; it may send the signal a minute early.
  check_range("restart.margin_seconds", margin_seconds, 10, 65535);
  check_range("restart.most", max_restarts, 0, 10000);
  check_range("restart.idle", idle_restarts, 1, 100);
  check_sbatch_names(sbatch);
  check_variables(environment);
}

void describe(OptionTable& table, SiteConfig& site) {
  const auto add = [&](const char* name, auto* field, const char* help) {
    table.add(name, field, OptionKind::kPlace, help);
  };
  add("site.partition", &site.partition, "partition; empty: the default one");
  add("site.account", &site.account, "account that pays; empty: the default");
  add("site.qos", &site.qos, "quality of service; empty: the default");
  add("site.time", &site.time,
      "time limit of one start of a job, as 12:00:00; empty: the partition's. "
      "Longer jobs are requeued and go on");
  add("site.gpus_per_node", &site.gpus_per_node, "GPUs to ask for, a node");
  add("site.ranks_per_node", &site.ranks_per_node,
      "ranks of training a node; 0: one a GPU, one where there are none");
  add("site.cpus_per_rank", &site.cpus_per_rank, "CPUs of a rank or worker");
  add("site.memory_per_cpu", &site.memory_per_cpu,
      "as 4G; empty: the cluster's default");
  add("site.modules", &site.modules,
      "environment modules to load, by comma, in order");
  add("site.setup", &site.setup,
      "a bash file that jobs source before the program; empty: none");
  add("site.container", &site.container,
      "command that runs the words behind it in a container, as 'apptainer "
      "exec --nv sono.sif'; quotes hold blanks. Empty: none");
  add("site.program", &site.program,
      "sonoforge as jobs find it, in the container; empty: this program");
  add("site.launcher", &site.launcher,
      "what starts ranks: srun (with pmix), mpirun, or auto: srun where it "
      "knows pmix");
  add("restart.margin_seconds", &site.margin_seconds,
      "a job is told to save and stop so long before its time limit, seconds");
  add("restart.most", &site.max_restarts,
      "restarts of one job by stop, lost node or lost rank, at most");
  add("restart.idle", &site.idle_restarts,
      "restarts in a row that find nothing new done, at most");
  table.add_family("sbatch", &site.sbatch, OptionKind::kPlace,
                   "a line '#SBATCH --NAME=value' in every script; empty "
                   "value: '#SBATCH --NAME'");
  table.add_family("environment", &site.environment, OptionKind::kPlace,
                   "a variable that every job exports");
}

std::filesystem::path find_site_file(const std::string& given) {
  if (!given.empty()) return given;
  const char* named = std::getenv("SONO_SITE");
  if (named != nullptr && *named != '\0') return named;
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') return {};
  const auto file =
      std::filesystem::path(home) / ".config" / "sonoforge" / "site.ini";
  return std::filesystem::exists(file) ? file : std::filesystem::path();
}

}  // namespace sono
