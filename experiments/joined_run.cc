#include "experiments/joined_run.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/message.h"
#include "dist/local/communicator.h"
#include "experiments/evaluation/worker.h"
#include "experiments/leaks/leak_check.h"
#include "experiments/quality_stage.h"
#include "experiments/report_files.h"
#include "experiments/run_folder.h"
#include "experiments/run_report.h"
#include "trainer/machine_kind.h"

namespace sono {
namespace {

// The same options, program and kind of machine as the run's own.
void check_run(const std::filesystem::path& out, const OptionTable& options) {
  const auto file = out / "run.json";
  nlohmann::json run;
  try {
    run = nlohmann::json::parse(read_file(file));
  } catch (const nlohmann::json::exception&) {
    throw DataError(file.string() + ": not a run record; start the run again");
  }
  if (run.value("config_hash", "") != config_hash(options)) {
    throw ConfigError(out.string() +
                      ": config.ini and run.json do not agree; use the program "
                      "that made the run, and set only options that are speed "
                      "or place");
  }
  if (run["machine"] != machine_kind()) {
    throw ConfigError(out.string() + ": made by ranks on " +
                      run["machine"].dump() + ", this is " +
                      machine_kind().dump() +
                      "; start workers on that kind of machine");
  }
}

}  // namespace

void WatchOptions::validate() const {
  check_range("--idle", idle_seconds, 0, 1e9);
  check_range("--poll", poll_seconds, 0.01, 3600);
}

struct JoinedRun::Parts {
  Parts(const Recipe& recipe, const OptionTable& options,
        const std::filesystem::path& out, const StopSignal& stop)
      : comm(make_single_rank()),
        log(""),
        stages(*comm, out / "stages", log, StageMode::kLook),
        context{recipe, options, *comm,          stages,        stop,
                log,    out,     machine_kind(), /*guest=*/true},
        shared(recipe, out) {}

  std::unique_ptr<Communicator> comm;
  JsonLines log;
  StageRunner stages;
  RunContext context;
  SharedSegmenter shared;
  std::optional<Study> study;  // once its cohorts are there
  Datasets datasets;           // as of the last look
};

JoinedRun::JoinedRun(const Recipe& recipe, const OptionTable& options,
                     const std::filesystem::path& out, const StopSignal& stop)
    : recipe_(recipe), stop_(stop) {
  at::set_num_threads(1);  // as the run's ranks
  recipe.validate();
  recipe.check_sources();
  if (recipe.experiment.task != "segment") {
    throw ConfigError(out.string() +
                      ": the run only generates (experiment.task), so there "
                      "is nothing to evaluate");
  }
  check_run(out, options);
  parts_ = std::make_unique<Parts>(recipe, options, out, stop);
}

JoinedRun::~JoinedRun() = default;

// False while a phantom cohort of the run is not drawn yet.
bool JoinedRun::open() {
  if (parts_->study) return true;
  const auto is_phantom = [](const std::string& stage) {
    return stage.starts_with("phantom-");
  };
  try {
    parts_->study.emplace(recipe_, *parts_->comm, parts_->stages);
  } catch (const Error&) {
    const auto& missing = parts_->stages.missing();
    if (std::none_of(missing.begin(), missing.end(), is_phantom)) throw;
  }
  return parts_->study.has_value();
}

RunCandidates JoinedRun::look() {
  const auto runs = arm_runs(recipe_);
  parts_->datasets = make_datasets(parts_->context, *parts_->study, runs);
  return make_candidates(parts_->context, *parts_->study, parts_->shared, runs,
                         parts_->datasets);
}

std::vector<std::string> JoinedRun::missing_parts(const RunCandidates& found) {
  std::vector<std::string> missing;
  for (const std::string& run : found.missing) {
    missing.push_back(run + ": not there yet, with all of its cells");
  }
  return missing;
}

// In small steps, so that a signal is answered at once.
void JoinedRun::pause(double seconds) const {
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    if (stop_.requested()) throw StopRequested("stopped on request");
    std::this_thread::sleep_for(std::chrono::milliseconds(
        static_cast<int>(std::clamp(seconds * 1000, 1.0, 100.0))));
  }
}

WatchOutcome JoinedRun::evaluate(const WatchOptions& watch) {
  watch.validate();
  Predictor predictor(parts_->shared.segmenter, parts_->shared.features,
                      recipe_.experiment.jitter_px);
  const auto dir = parts_->context.out / kEvaluationFolder;
  WatchOutcome outcome;
  auto last_work = std::chrono::steady_clock::now();
  while (true) {
    if (open()) {
      const RunCandidates found = look();
      const std::size_t scored = score_ready(parts_->context, *parts_->study,
                                             found.ready, predictor, dir);
      outcome.scored += scored;
      if (scored > 0) last_work = std::chrono::steady_clock::now();
      outcome.missing = missing_parts(found);
      outcome.complete = outcome.missing.empty();
    } else {
      outcome.missing = {"the run's phantom cohorts are not drawn yet"};
    }
    const std::chrono::duration<double> idle =
        std::chrono::steady_clock::now() - last_work;
    if (outcome.complete || !watch.watch) break;
    if (watch.idle_seconds > 0 && idle.count() >= watch.idle_seconds) break;
    pause(watch.poll_seconds);
  }
  parts_->shared.cache.flush();
  return outcome;
}

RunOutcome JoinedRun::report(std::vector<std::string>& missing) {
  if (!open()) {
    throw DataError(parts_->context.out.string() +
                    ": the run's phantom cohorts are not drawn yet; let the "
                    "run go on first");
  }
  const RunContext& context = parts_->context;
  const RunCandidates found = look();
  const FoldedCells folded = fold_ready(context, *parts_->study, found.ready,
                                        context.out / kEvaluationFolder);
  missing = missing_parts(found);
  missing.insert(missing.end(), folded.missing.begin(), folded.missing.end());
  Datasets finished;
  for (const auto& [label, stage] : parts_->datasets) {
    if (stage.finished) finished.emplace(label, stage);
  }
  const StageResult quality =
      judge_quality(context, *parts_->study, arm_runs(recipe_),
                    parts_->datasets, parts_->shared);
  const nlohmann::json none;
  Predictor predictor(parts_->shared.segmenter, parts_->shared.features,
                      recipe_.experiment.jitter_px);
  const StageResult leaks = find_near_duplicates(
      context, *parts_->study, arm_runs(recipe_), parts_->shared);
  const ReportData data{found.ready,
                        finished,
                        quality.finished ? quality.outputs : none,
                        leaks.finished ? leaks.outputs : none,
                        folded.rows,
                        cell_provenance(context, *parts_->study, found.ready,
                                        context.out / kEvaluationFolder),
                        missing};
  write_tensorboard(context.out, data);
  return write_report_files(context, *parts_->study, data, predictor,
                            context.out);
}

}  // namespace sono
