#include "experiments/joined_run.h"

#include "core/error.h"
#include "experiments/evaluation/worker.h"
#include "experiments/leaks/leak_check.h"
#include "experiments/quality_stage.h"
#include "experiments/report_files.h"
#include "experiments/run_folder.h"
#include "experiments/run_report.h"

namespace sono {
namespace {

const Recipe& checked(const Recipe& recipe, const std::filesystem::path& out) {
  if (recipe.experiment.task != "segment") {
    throw ConfigError(out.string() +
                      ": the run only generates (experiment.task), so there "
                      "is nothing to evaluate");
  }
  return recipe;
}

std::vector<std::string> missing_parts(const RunCandidates& found) {
  std::vector<std::string> missing;
  for (const std::string& run : found.missing) {
    missing.push_back(run + ": not there yet, with all of its cells");
  }
  return missing;
}

}  // namespace

JoinedRun::JoinedRun(const Recipe& recipe, const OptionTable& options,
                     const std::filesystem::path& out, const StopSignal& stop)
    : guest_(checked(recipe, out), options, out, stop), shared_(recipe, out) {}

RunCandidates JoinedRun::look(const Study& study) {
  const auto runs = arm_runs(context().recipe);
  if (!generators_) generators_.emplace(context(), study, runs);
  datasets_ = generators_->make_datasets();
  return make_candidates(context(), study, shared_, runs, datasets_);
}

WatchOutcome JoinedRun::evaluate(const WatchOptions& watch) {
  Predictor predictor(shared_.segmenter, shared_.features,
                      context().recipe.experiment.jitter_px);
  WatchOutcome outcome;
  guest_.watch(watch, [&]() -> GuestRun::Look {
    const Study* study = guest_.study();
    if (study == nullptr) {
      outcome.missing = {"the run's phantom cohorts are not drawn yet"};
      return {};
    }
    const RunCandidates found = look(*study);
    const std::size_t scored =
        score_ready(context(), *study, found.ready, predictor,
                    context().out / kEvaluationFolder);
    outcome.scored += scored;
    outcome.missing = missing_parts(found);
    outcome.complete = outcome.missing.empty();
    return {scored > 0, outcome.complete};
  });
  shared_.cache.flush();
  return outcome;
}

RunOutcome JoinedRun::report(std::vector<std::string>& missing) {
  const RunContext& context = guest_.context();
  const Study* study = guest_.study();
  if (study == nullptr) {
    throw DataError(context.out.string() +
                    ": the run's phantom cohorts are not drawn yet; let the "
                    "run go on first");
  }
  const RunCandidates found = look(*study);
  const auto runs = arm_runs(context.recipe);
  const auto cells = context.out / kEvaluationFolder;
  const FoldedCells folded = fold_ready(context, *study, found.ready, cells);
  missing = missing_parts(found);
  missing.insert(missing.end(), folded.missing.begin(), folded.missing.end());
  Datasets finished;
  for (const auto& [label, stage] : datasets_) {
    if (stage.finished) finished.emplace(label, stage);
  }
  const StageResult quality =
      judge_quality(context, *study, runs, datasets_, shared_);
  const nlohmann::json none;
  Predictor predictor(shared_.segmenter, shared_.features,
                      context.recipe.experiment.jitter_px);
  const StageResult leaks =
      find_near_duplicates(context, *study, runs, shared_);
  const ReportData data{found.ready,
                        finished,
                        quality.finished ? quality.outputs : none,
                        leaks.finished ? leaks.outputs : none,
                        folded.rows,
                        cell_provenance(context, *study, found.ready, cells),
                        missing};
  write_tensorboard(context.out, data);
  return write_report_files(context, *study, data, predictor, context.out);
}

}  // namespace sono
