// `sonoforge train diffusion --config FILE --out DIR`: a LoRA on a Stable
// Diffusion model, resumable, on any number of ranks.

#include <cstdio>

#include "core/error.h"
#include "core/message.h"
#include "dist/bootstrap.h"
#include "experiments/lora_training.h"
#include "launch/commands/commands.h"
#include "launch/options/command_line.h"
#include "trainer/telemetry.h"

namespace sono {
namespace {

struct TrainArguments {
  std::string what, config_file, out;
  SessionOptions session;
  double wall_minutes = 0;
  bool update = false;
};

void print_outcome(const LoraOutcome& outcome) {
  std::printf("%lld steps; the last one's loss %.4f\n",
              static_cast<long long>(outcome.steps), outcome.loss);
  if (outcome.validation_loss >= 0) {
    std::printf("held-out loss %.4f\n", outcome.validation_loss);
  }
  for (const auto& folder : outcome.files) {
    std::printf("wrote %s\n", std::filesystem::absolute(folder).c_str());
  }
}

}  // namespace

int train_command(const Arguments& args) {
  TrainArguments arguments;
  LoraRecipe recipe;
  CommandLine line(
      "train diffusion --config FILE --out DIR [--set section.key=value]",
      "Trains a LoRA, or a ControlNet of masks, on a Stable Diffusion\n"
      "model (its folder as diffusers saves it, or its single file) with a\n"
      "folder of images. The same command goes on after a stop or a crash,\n"
      "on any number of ranks, and ends with the same bytes.");
  line.argument("WHAT", &arguments.what, "diffusion");
  line.flag("config", &arguments.config_file, "FILE", "options, an INI file");
  line.flag("out", &arguments.out, "DIR", "folder of the training");
  line.flag("local-ranks", &arguments.session.local_ranks, "K",
            "threads as ranks, when not under mpirun or srun");
  line.flag("wall-minutes", &arguments.wall_minutes, "M",
            "save and exit with 75 after so long; 0: never");
  line.flag("trace-steps", &recipe.trace_steps, "FIRST-LAST",
            "trace these steps, one file a rank: OUT/traces/");
  line.flag("update", &arguments.update, "",
            "take a folder made by another config and train anew");
  describe(line.config(), recipe);
  if (!line.parse(args)) return 0;
  if (arguments.what != "diffusion") {
    throw ConfigError("train '" + arguments.what +
                      "': only `train diffusion` is offered");
  }
  if (arguments.out.empty()) throw ConfigError("--out DIR is missing");
  line.load_config(arguments.config_file);
  recipe.validate();
  check_range("--wall-minutes", arguments.wall_minutes, 0, 1e7);
  TraceSteps::parse(recipe.trace_steps);  // before all else

  arguments.session.deadlines = recipe.deadlines;
  const auto session = make_session(arguments.session);
  configure_log(session->rank());
  const StopSignal stop(arguments.wall_minutes * 60);
  session->run([&](Communicator& comm) {
    const LoraOutcome outcome = train_lora(recipe, line.config(), arguments.out,
                                           arguments.update, comm, stop);
    if (comm.rank() == 0) print_outcome(outcome);
  });
  return 0;
}

}  // namespace sono
