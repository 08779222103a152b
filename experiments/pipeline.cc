#include "experiments/pipeline.h"

#include <ATen/Parallel.h>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/message.h"
#include "dist/recorder/flight_recorder.h"
#include "dist/recorder/rank_files.h"
#include "experiments/evaluation/worker.h"
#include "experiments/generators.h"
#include "experiments/leaks/leak_check.h"
#include "experiments/plan/space.h"
#include "experiments/quality_stage.h"
#include "experiments/run_candidates.h"
#include "experiments/run_folder.h"
#include "experiments/run_report.h"
#include "experiments/run_telemetry.h"
#include "experiments/segmentation_stages.h"
#include "trainer/compute_device.h"
#include "trainer/machine_kind.h"

namespace sono {
namespace {

// What RunRequest::until may be.
constexpr char kUntilGenerators[] = "generators";
constexpr char kUntilDatasets[] = "datasets";
constexpr char kUntilTuning[] = "tuning";
constexpr char kUntilEvaluation[] = "evaluation";

void encode_tests(const RunContext& context, const Study& study,
                  SharedSegmenter& shared) {
  for (const StudyCohort& entry : study.cohorts()) {
    shared.encode(context, entry.name, entry.test.size(), [&](std::size_t i) {
      return entry.cohort->load(entry.test[i]).image;
    });
  }
}

void check_device(const Recipe& recipe) {
  if (compute_device().is_cpu()) return;
  if (recipe.latent()) {
    throw ConfigError(
        "option place.device = cuda: a published model's generator is computed "
        "on the CPU only; leave it away");
  }
  log_warning(
      "computing on " + compute_device().str() +
      ": this way was proven on a simulated device, never on a GPU; compare a "
      "first run with one on the CPU");
}

// Empties what an earlier start left there and names the place to the recorder.
void open_recorder_folder(const std::filesystem::path& folder,
                          Communicator& comm) {
  run_together(comm, [&] {
    if (comm.rank() != 0) return;
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    make_directories(folder);
  });
  if (comm.recorder() != nullptr) comm.recorder()->set_shared_folder(folder);
}

// Before a folder is made: a large run that cannot end is not begun.
void check_space_of_new_run(const Recipe& recipe,
                            const std::filesystem::path& out,
                            Communicator& comm) {
  run_together(comm, [&] {
    if (comm.rank() != 0 || std::filesystem::exists(out / "run.json")) return;
    check_space(recipe, out);
  });
}

// What to say where a run ends before its report.
RunOutcome part_outcome(const RunContext& context, std::string text) {
  RunOutcome outcome;
  outcome.table = std::move(text);
  outcome.stages_done = context.stages.done();
  outcome.stages_skipped = context.stages.skipped();
  return outcome;
}

std::string dataset_lines(const Datasets& datasets) {
  std::string text;
  for (const auto& [label, stage] : datasets) {
    text += label + ": " + stage.outputs.at("count").dump() + " images, hash " +
            stage.outputs.at("dataset_hash").get<std::string>() + "\n  " +
            (stage.dir / "dataset").string() + "\n";
  }
  return text;
}

// Synthetic images and nothing else (experiment.task = generate).
RunOutcome generate_only(const RunContext& context, const std::string& until) {
  const Study study(context.recipe, context.comm, context.stages);
  Generators generators(context, study, arm_runs(context.recipe));
  if (until == kUntilGenerators) {
    generators.train();
    return part_outcome(context, "the generators are trained");
  }
  const Datasets datasets = generators.make_datasets();
  RunOutcome outcome = part_outcome(context, dataset_lines(datasets));
  outcome.report = datasets.rbegin()->second.dir / "dataset";
  return outcome;
}

}  // namespace

void RunRequest::validate() const {
  if (until.empty()) return;
  check_choice(
      "--until", until,
      {kUntilGenerators, kUntilDatasets, kUntilTuning, kUntilEvaluation});
}

namespace {

RunOutcome segment_recipe(const RunContext& context, const std::string& until) {
  const Recipe& recipe = context.recipe;
  SharedSegmenter shared(recipe, context.out);
  check_same(context.comm, "the segmenter's weights",
             shared.segmenter.weights_hash());

  const Study study(recipe, context.comm, context.stages);
  const auto runs = arm_runs(recipe);
  const StageResult leaks = find_near_duplicates(context, study, runs, shared);
  Generators generators(context, study, runs);
  if (until == kUntilGenerators) {
    generators.train();
    return part_outcome(context, "the generators are trained");
  }
  const Datasets datasets = generators.make_datasets();
  if (until == kUntilDatasets) {
    return part_outcome(context, dataset_lines(datasets));
  }

  const auto candidates =
      make_candidates(context, study, shared, runs, datasets).ready;
  if (until == kUntilTuning) {
    return part_outcome(context, "the segmenters are tuned");
  }
  Predictor predictor(shared.segmenter, shared.features,
                      recipe.experiment.jitter_px);
  const auto cells = context.out / kEvaluationFolder;
  const auto evaluated =
      evaluate(context, study, candidates, predictor, cells,
               [&] { encode_tests(context, study, shared); });
  if (until == kUntilEvaluation) {
    return part_outcome(context, "every cell is scored");
  }
  const StageResult quality =
      judge_quality(context, study, runs, datasets, shared);
  RunOutcome outcome = write_report(
      context, study,
      {candidates, datasets, quality.outputs, leaks.outputs, evaluated,
       cell_provenance(context, study, candidates, cells)},
      predictor);
  outcome.stages_done = context.stages.done();
  outcome.stages_skipped = context.stages.skipped();
  return outcome;
}

}  // namespace

RunOutcome run_recipe(const Recipe& recipe, const OptionTable& options,
                      const RunRequest& request, Communicator& comm,
                      const StopSignal& stop) {
  at::set_num_threads(1);  // equal bits on any number of ranks
  request.validate();
  recipe.validate();
  recipe.check_sources();
  recipe.check_lanes(comm.world_size());
  check_device(recipe);
  const std::filesystem::path& out = request.out;
  check_space_of_new_run(recipe, out, comm);
  open_run_folder(out, options, request.update, comm);
  open_recorder_folder(recorder_folder(out), comm);
  const PhaseMark mark(comm.recorder(), Phase::kStage, 0);
  JsonLines log(comm.rank() == 0 ? out / "log.jsonl" : "");
  StageRunner stages(comm, out / "stages", log);
  const auto metrics = open_metrics(recipe.place.metrics_file, out, comm);
  const RunContext context{
      recipe, options, comm,           stages,          stop,
      log,    out,     machine_kind(), /*guest=*/false, metrics.get()};
  if (recipe.experiment.task == "generate") {
    return generate_only(context, request.until);
  }
  return segment_recipe(context, request.until);
}

namespace {

// Goes through the stages as a run does, and leaves off where what a stage
// needs is not there. True when every cell of the evaluation is there too.
bool look_for_stages(const RunContext& context) {
  const Recipe& recipe = context.recipe;
  const Study study(recipe, context.comm, context.stages);
  const auto runs = arm_runs(recipe);
  if (recipe.experiment.task == "generate") {
    Generators(context, study, runs).make_datasets();
    return false;
  }
  SharedSegmenter shared(recipe, context.out);
  find_near_duplicates(context, study, runs, shared);
  const Datasets datasets = Generators(context, study, runs).make_datasets();
  const RunCandidates found =
      make_candidates(context, study, shared, runs, datasets);
  const FoldedCells folded =
      fold_ready(context, study, found.ready, context.out / kEvaluationFolder);
  if (!found.missing.empty() || !folded.missing.empty()) return false;
  context.stages.run("report", report_inputs(context, folded.rows.cases),
                     nullptr);
  return true;
}

}  // namespace

std::set<std::string> find_finished(const Recipe& recipe,
                                    const OptionTable& options,
                                    const std::filesystem::path& out,
                                    Communicator& comm,
                                    const StopSignal& stop) {
  at::set_num_threads(1);  // part of the keys
  if (!std::filesystem::exists(out / "run.json")) return {};
  JsonLines log("");
  StageRunner stages(comm, out / "stages", log, StageMode::kLook);
  const RunContext context{recipe, options, comm, stages,
                           stop,   log,     out,  machine_kind()};
  bool evaluated = false;
  try {
    evaluated = look_for_stages(context);
  } catch (const Error&) {  // a cohort that is missing or not drawn yet
  }
  std::set<std::string> found = stages.found();
  if (evaluated) found.insert("evaluation");
  return found;
}

}  // namespace sono
