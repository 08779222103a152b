#pragma once
// A run's folder seen by a process that is not one of the run's ranks: an
// evaluation worker, or who only wants the report of what is there. It makes no
// stage, talks to nobody and may come, go and be killed at any time. One
// thread.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "experiments/pipeline.h"
#include "experiments/run_candidates.h"

namespace sono {

struct WatchOptions {
  bool watch = true;        // else one look
  double idle_seconds = 0;  // without anything to score, then end; 0: never
  double poll_seconds = 2;  // between two looks

  void validate() const;  // ConfigError naming the flag
};

struct WatchOutcome {
  std::size_t scored = 0;            // cells that were missing when looked at
  bool complete = false;             // nothing of the run is missing
  std::vector<std::string> missing;  // what is, one line each
};

class JoinedRun {
 public:
  // `recipe` and `options` as the run's config.ini has them. ConfigError when
  // `out` is no run, or one of other options, of another kind of machine, or
  // one that only generates. All references must outlive this.
  JoinedRun(const Recipe& recipe, const OptionTable& options,
            const std::filesystem::path& out, const StopSignal& stop);
  ~JoinedRun();

  // Scores cells of what is tuned, as it comes, until all cells of the run are
  // there. Any number of workers may do so beside each other and beside the
  // run itself. StopRequested on request.
  WatchOutcome evaluate(const WatchOptions& watch);

  // cases.csv, summary.json and report.html of the cells that are there, into
  // the run's folder; of a finished run the same bytes that it wrote itself.
  // `missing` tells what is not in it. DataError when no cohort is there yet.
  RunOutcome report(std::vector<std::string>& missing);

 private:
  struct Parts;
  bool open();
  RunCandidates look();
  std::vector<std::string> missing_parts(const RunCandidates& found);
  void pause(double seconds) const;

  const Recipe& recipe_;
  const StopSignal& stop_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace sono
