#include "launch/command.h"

#include <cstdio>

#include "core/error.h"
#include "core/option.h"
#include "launch/commands/commands.h"

namespace sono {
namespace {

int print_help() {
  std::puts(
      "sonoforge: synthetic ultrasound for segmentation, from training to "
      "report\n\nusage: sonoforge COMMAND [ARGUMENTS]\n");
  for (const Command& command : commands()) {
    std::printf("  %-10s %s\n", command.name.c_str(), command.summary.c_str());
  }
  std::puts(
      "\n`sonoforge help COMMAND` lists a command's options; `sonoforge "
      "--version` says\nwhich version this is. Under mpirun or srun `run`, "
      "`train` and `doctor` are distributed.");
  return 0;
}

const Command& find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    if (command.name == name) return command;
    names.push_back(command.name);
  }
  throw ConfigError("unknown command '" + name + "'; the nearest one is '" +
                    nearest_name(name, names) +
                    "' (`sonoforge --help` lists all)");
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> kCommands = {
      {"run", "run a whole recipe, resumable, on any number of ranks",
       run_command, /*resumable=*/true, /*distributed=*/true},
      {"generate",
       "make synthetic pairs of a run's generators; any number of "
       "workers",
       generate_command, /*resumable=*/true, /*distributed=*/true},
      {"evaluate", "score a run's tuned models; any number of workers",
       evaluate_command, /*resumable=*/true, /*distributed=*/true},
      {"submit", "run a recipe as a chain of Slurm jobs", submit_command},
      {"status", "how far a run and its Slurm jobs have come", status_command},
      {"report", "write the report of what a run has so far", report_command},
      {"train", "train a LoRA on a Stable Diffusion model, resumable",
       train_command, /*resumable=*/true, /*distributed=*/true},
      {"verify", "check shards and checkpoints against their checksums",
       verify_command},
      {"quality", "measure synthetic images beside real ones, find copies",
       quality_command},
      {"inspect", "say what a folder or file is, and audit a cohort",
       inspect_command},
      {"export", "write a cohort or shards in nnU-Net's layout",
       export_command},
      {"doctor",
       "say whether a place is fit for a run, and how fast it will be",
       doctor_command, /*resumable=*/false, /*distributed=*/true},
      {"hang", "say which rank holds the others up, and where", hang_command},
      {"phantom", "write a labelled phantom cohort in HC18's layout",
       phantom_command},
  };
  return kCommands;
}

const Command* called_command(const std::vector<std::string>& args) {
  for (const Command& command : commands()) {
    if (!args.empty() && args[0] == command.name) return &command;
  }
  return nullptr;
}

int run_command_line(const std::vector<std::string>& args) {
  if (args.empty()) {
    print_help();
    throw ConfigError("no command given");
  }
  const std::string& name = args[0];
  if (name == "--help" || name == "-h") return print_help();
  if (name == "--version") {
    std::puts("sonoforge " SONO_VERSION);
    return 0;
  }
  if (name == "help") {
    if (args.size() == 1) return print_help();
    return find_command(args[1]).run({"--help"});
  }
  return find_command(name).run({args.begin() + 1, args.end()});
}

}  // namespace sono
