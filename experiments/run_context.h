#pragma once
// What every stage of a run needs. All references outlive the run.

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/json_lines.h"
#include "data/lease.h"
#include "dist/communicator.h"
#include "dist/recorder/phase.h"
#include "dist/stop_signal.h"
#include "experiments/recipe.h"
#include "experiments/stage.h"
#include "trainer/telemetry.h"

namespace sono {

struct RunContext {
  const Recipe& recipe;
  const OptionTable& options;  // bound to `recipe`
  Communicator& comm;
  StageRunner& stages;
  const StopSignal& stop;
  JsonLines& log;
  std::filesystem::path out;
  nlohmann::json machine;  // machine_kind(), of the compute device
  // A worker that joined the run from outside: it stops alone, and others'
  // stopping is not its own.
  bool guest = false;
  MetricsFile* metrics = nullptr;  // of place.metrics_file

  bool rank_zero() const { return comm.rank() == 0; }
  // For work without collectives: true once any rank was asked to stop. A rank
  // that was tells the others by a file in the run's folder.
  bool should_stop() const;
  // Between two pieces of such work (an image, a network call): shows the
  // watchdog that the rank gets on; StopRequested when it should stop.
  void proceed() const;
};

// What the training of that label shows while it runs.
Telemetry telemetry_of(const RunContext& context, const std::string& label);

// Shares out independent items over the ranks by leases, with a progress line;
// `work` needs its items, is_done, work and lease_folder, and calls proceed()
// often. All ranks must call. Returns the number of items done by this rank.
std::int64_t share_out(const RunContext& context, Phase phase,
                       const std::string& label, const std::string& unit,
                       LeasedWork work);

}  // namespace sono
