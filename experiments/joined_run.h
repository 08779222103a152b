#pragma once
// The evaluation and the report of a run's folder, by a process that is not one
// of the run's ranks.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/generators.h"
#include "experiments/guest_run.h"
#include "experiments/pipeline.h"
#include "experiments/run_candidates.h"

namespace sono {

struct WatchOutcome {
  std::size_t scored = 0;            // cells that were missing when looked at
  bool complete = false;             // nothing of the run is missing
  std::vector<std::string> missing;  // what is, one line each
};

class JoinedRun {
 public:
  // As of GuestRun, and ConfigError for a run that only generates.
  JoinedRun(const Recipe& recipe, const OptionTable& options,
            const std::filesystem::path& out, const StopSignal& stop);

  // Scores cells of what is tuned, as it comes, until all cells of the run are
  // there. Any number of workers may do so beside each other and beside the
  // run itself. StopRequested on request.
  WatchOutcome evaluate(const WatchOptions& watch);

  // cases.csv, summary.json and report.html of the cells that are there, into
  // the run's folder; of a finished run the same bytes that it wrote itself.
  // `missing` tells what is not in it. DataError when no cohort is there yet.
  RunOutcome report(std::vector<std::string>& missing);

 private:
  const RunContext& context() const { return guest_.context(); }
  RunCandidates look(const Study& study);

  GuestRun guest_;
  SharedSegmenter shared_;
  std::optional<Generators> generators_;  // once the cohorts are there
  Datasets datasets_;                     // as of the last look
};

}  // namespace sono
