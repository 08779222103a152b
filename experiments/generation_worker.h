#pragma once
// A worker that makes synthetic pairs of a run's trained generators, by a
// process that is not one of the run's ranks: for the run itself, or a data set
// of any size beside it.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/generators.h"
#include "experiments/guest_run.h"

namespace sono {

struct ProductionRequest {
  std::filesystem::path out;  // the data set's folder, shared by all workers
  std::string generator;      // label; empty: the run's only one
  ProductionSize size;

  void validate() const;  // ConfigError naming the flag
};

struct HelpOutcome {
  std::int64_t shards = 0;  // made here
  std::vector<std::string> missing;
};

struct ProductionOutcome {
  std::int64_t shards = 0;  // made here
  std::int64_t num_shards = 0;
  std::string dataset_hash;
};

class GenerationWorker {
 public:
  // As of GuestRun, and ConfigError when the recipe has no generator. To
  // produce beside the run, its options of sampling may be changed.
  GenerationWorker(const Recipe& recipe, const OptionTable& options,
                   const std::filesystem::path& run, const StopSignal& stop,
                   GuestConfig config);

  // Makes shards of the data sets that the recipe asks for, as their generators
  // come; the run takes them up. StopRequested on request.
  HelpOutcome help(const WatchOptions& watch);

  // Makes shards of another data set until it is complete; any number of
  // workers with equal requests may share its folder. ConfigError for an
  // unknown generator or a folder with another data set, StopRequested on
  // request.
  ProductionOutcome produce(const ProductionRequest& request);

 private:
  GenerationJob find_job(const ProductionRequest& request);

  GuestRun guest_;
  std::optional<Generators> generators_;  // once the cohorts are there
};

}  // namespace sono
