// `sonoforge generate RUN`: workers that make synthetic pairs with a run's
// generators, for the run or beside it.

#include <cstdio>

#include "core/error.h"
#include "core/message.h"
#include "dist/launch_environment.h"
#include "experiments/generation_worker.h"
#include "launch/commands/commands.h"
#include "launch/options/command_line.h"
#include "launch/options/device.h"
#include "launch/options/run_config.h"

namespace sono {
namespace {

void print_help_outcome(const HelpOutcome& outcome) {
  std::printf("%lld shards made here; the run's data sets are %s\n",
              static_cast<long long>(outcome.shards),
              outcome.missing.empty() ? "complete" : "not complete");
  for (const std::string& part : outcome.missing) {
    std::printf("missing: %s\n", part.c_str());
  }
}

void print_production(const ProductionRequest& request,
                      const ProductionOutcome& outcome) {
  std::printf("%lld of %lld shards made here\n%lld pairs, hash %s: %s\n",
              static_cast<long long>(outcome.shards),
              static_cast<long long>(outcome.num_shards),
              static_cast<long long>(request.size.count),
              outcome.dataset_hash.c_str(),
              std::filesystem::absolute(request.out).c_str());
}

}  // namespace

int generate_command(const Arguments& args) {
  std::string run, out;
  WatchOptions watch{.watch = false};
  ProductionRequest request;
  Recipe recipe;
  CommandLine line(
      "generate [--watch] RUN | generate RUN --out DIR --count N",
      "A worker that makes synthetic pairs with the trained generators of a "
      "run. Without --out\nit makes the pairs that the run's recipe asks for; "
      "with it a data set of any size. Any\nnumber of workers may share the "
      "folder, on any node, and be killed at any time: the\ndata set is the "
      "same. Give other paths of this node with --set data.NAME=DIR and the "
      "like. With --out\nother options of sampling too: --set "
      "diffusion.sampling_steps=50, --set generate.tries=8\n(replace rejected "
      "pairs), --set generate.copies=refuse.");
  line.argument("RUN", &run, "folder of the run");
  line.flag("out", &out, "DIR",
            "folder of the data set, shared by its workers");
  line.flag("count", &request.size.count, "N", "pairs in it");
  line.flag("generator", &request.generator, "LABEL",
            "concat-n5-s0, say; may be left away where the run has only one");
  line.flag("seed", &request.size.seed, "S", "of the pairs");
  line.flag("samples-per-shard", &request.size.samples_per_shard, "K",
            "pairs in one tar file; what a killed worker loses at most");
  add_watch_flags(
      line, watch,
      "without --out: wait for generators that are not trained yet");
  describe(line.config(), recipe);
  if (!line.parse(args)) return 0;
  request.out = out;
  for (const char* name : {"count", "generator", "seed", "samples-per-shard"}) {
    if (out.empty() && line.given(name)) {
      throw ConfigError(std::string("--") + name + " goes with --out DIR");
    }
  }
  configure_log(launch_place(process_environment()).rank);
  const StopSignal stop;
  if (out.empty()) {
    load_run_config(line, run, recipe);
    use_worker_device(recipe.place.device);
    print_help_outcome(
        GenerationWorker(recipe, line.config(), run, stop, GuestConfig::kSame)
            .help(watch));
    return 0;
  }
  request.validate();
  load_run_config(line, run, recipe);
  use_worker_device(recipe.place.device);
  GenerationWorker worker(recipe, line.config(), run, stop,
                          GuestConfig::kChanged);
  print_production(request, worker.produce(request));
  return 0;
}

}  // namespace sono
