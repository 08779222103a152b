// `sonoforge doctor [RECIPE]`: is this place fit for a run, and how fast will
// it be? Alone, or under mpirun or srun for all ranks.

#include "launch/doctor/doctor.h"

#include "core/message.h"
#include "dist/bootstrap.h"
#include "experiments/protocol.h"
#include "launch/commands/commands.h"
#include "launch/options/command_line.h"

namespace sono {

int doctor_command(const Arguments& args) {
  std::string recipe_file, out, json;
  std::vector<std::string> folders;
  Recipe recipe;
  DoctorOptions options;
  SessionOptions session_options;
  CommandLine line(
      "doctor [RECIPE.ini] [--folder SHARED]...",
      "Looks whether a run would do well here: devices and libraries, hosts "
      "and ranks, the\nshared folder, the network, disks; with a recipe also "
      "what it needs, and how fast its\ntrainings will be on 1 to 1,024 nodes. "
      "Under mpirun or srun it looks from every rank.\nEnds 0 when all is "
      "fine or only warned of, else with the code of the worst failure.");
  line.optional_argument("RECIPE.ini", &recipe_file,
                         "the recipe to look after and predict");
  line.flag("folder", &folders, "SHARED",
            "a folder that all ranks share; several times; default: --out, "
            "else the current one");
  line.flag("out", &out, "DIR",
            "where the recipe's run would lie (default runs/)");
  line.flag("json", &json, "FILE", "write everything to this file too");
  line.flag("disk-mb", &options.disk_mb, "MB",
            "written and read by each rank in each folder, MiB");
  line.flag("network-mb", &options.network_mb, "MB",
            "size of the largest all-reduce, MiB");
  line.flag("local-ranks", &session_options.local_ranks, "K",
            "threads as ranks, when not under mpirun or srun");
  describe(line.config(), recipe);
  if (!line.parse(args)) return 0;
  line.load_config(recipe_file);
  if (!recipe_file.empty()) {
    // As `run` does: a protocol's options come first.
    if (apply_protocol(recipe.experiment.protocol, line.config())) {
      line.load_config(recipe_file);
    }
    recipe.validate();
    options.recipe = &recipe;
  }
  options.validate();
  options.out = out.empty() ? "runs" : out;
  if (folders.empty()) folders = {out.empty() ? "." : out};
  options.folders.assign(folders.begin(), folders.end());
  options.json = json;
  options.threads = session_options.local_ranks > 1;

  session_options.deadlines = recipe.place.deadlines;
  session_options.recorder_folder = recipe.place.recorder;
  const auto session = make_session(session_options);
  configure_log(session->rank());
  int code = 0;
  session->run([&](Communicator& comm) {
    const int found = run_doctor(options, comm);
    if (comm.rank() == 0 || !options.threads) code = found;
  });
  return code;
}

}  // namespace sono
