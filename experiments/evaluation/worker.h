#pragma once
// Evaluation workers. The work is cut into cells (candidate, cohort, prompt,
// draw); a worker leases one, scores every test image and writes one file by
// rename. Any number of workers may come and go; no server is needed.

#include <functional>
#include <vector>

#include "experiments/evaluation/predictor.h"
#include "experiments/report/cases.h"
#include "experiments/run_context.h"
#include "experiments/study.h"

namespace sono {

struct Evaluated {
  std::vector<Case> cases;
  // Under gt-box with the jitters of experiment.jitter_curve; these stand in no
  // table.
  std::vector<Case> jitter_curve;
  // Of runs with fewer synthetic images (experiment.synthetic_counts), in no
  // table but that of N real by N synthetic.
  std::vector<Case> dose;
};

// Scores all cells that are missing under `dir` and returns the rows of all.
// `prepare` is called on every rank before work when any cell is missing. All
// ranks must call; each is one worker.
Evaluated evaluate(const RunContext& context, const Study& study,
                   const std::vector<Candidate>& candidates,
                   Predictor& predictor, const std::filesystem::path& dir,
                   const std::function<void()>& prepare);

// One worker alone: scores the cells of these candidates that are missing and
// that nobody else is at work on, and waits for the others. Returns how many
// were missing at first.
std::size_t score_ready(const RunContext& context, const Study& study,
                        const std::vector<Candidate>& candidates,
                        Predictor& predictor, const std::filesystem::path& dir);

// What is there without any work.
struct FoldedCells {
  Evaluated rows;
  std::size_t cells = 0;             // of these candidates, scored or not
  std::vector<std::string> missing;  // names of those that are not scored
};

FoldedCells fold_ready(const RunContext& context, const Study& study,
                       const std::vector<Candidate>& candidates,
                       const std::filesystem::path& dir);

// A csv line for each cell that is there: what it is, its file in `dir` with
// SHA-256, and the hashes of weights, synthetic data set and cohort behind it.
std::string cell_provenance(const RunContext& context, const Study& study,
                            const std::vector<Candidate>& candidates,
                            const std::filesystem::path& dir);

}  // namespace sono
