#include "experiments/pipeline.h"

#include <ATen/Parallel.h>

#include <optional>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "dist/recorder/flight_recorder.h"
#include "dist/recorder/rank_files.h"
#include "experiments/arm_stages.h"
#include "experiments/evaluation/baselines.h"
#include "experiments/evaluation/worker.h"
#include "experiments/leaks/leak_check.h"
#include "experiments/quality_stage.h"
#include "experiments/run_folder.h"
#include "experiments/run_report.h"
#include "experiments/segmentation_stages.h"
#include "trainer/machine_kind.h"

namespace sono {
namespace {

constexpr char kEvaluationFolder[] = "evaluation";

void encode_tests(const RunContext& context, const Study& study,
                  SharedSegmenter& shared) {
  for (const StudyCohort& entry : study.cohorts()) {
    shared.encode(context, entry.name, entry.test.size(), [&](std::size_t i) {
      return entry.cohort->load(entry.test[i]).image;
    });
  }
}

Candidate mean_mask_candidate(const Study& study, const ArmRun& run) {
  std::vector<cv::Mat> masks;
  for (std::size_t i : study.subset(run)) {
    masks.push_back(study.training(run).load(i).mask);
  }
  Candidate candidate;
  candidate.arm = kMeanMaskArm;
  candidate.train_cohort = run.cohort;
  candidate.n_real = run.n_real;
  candidate.seed = static_cast<std::int64_t>(run.seed);
  candidate.mean_mask = mean_training_mask(masks);
  candidate.checkpoint_hash = sha256_hex(study.subset_inputs(run).dump());
  return candidate;
}

// What needs no training: the published weights and the blind baselines.
std::vector<Candidate> reference_candidates(const Recipe& recipe,
                                            const Study& study,
                                            const Segmenter& segmenter) {
  std::vector<Candidate> candidates(2);
  candidates[0].arm = kZeroShotArm;
  candidates[0].checkpoint_hash = segmenter.weights_hash();
  candidates[1].arm = kBlindEllipseArm;
  for (const ArmRun& run : mean_mask_runs(recipe)) {
    candidates.push_back(mean_mask_candidate(study, run));
  }
  return candidates;
}

Candidate tuned_candidate(const RunContext& context, const ArmRun& run,
                          const ArmImages& images, const StageResult& tuned,
                          const Datasets& datasets) {
  const Recipe& recipe = context.recipe;
  Candidate candidate;
  candidate.arm = run.arm;
  candidate.train_cohort = run.cohort;
  candidate.n_real = run.n_real;
  candidate.n_synthetic = static_cast<std::int64_t>(images.synthetic_count());
  candidate.seed = static_cast<std::int64_t>(run.seed);
  candidate.on_dose_curve = run.synthetic > 0;
  candidate.updates = tuning_steps(recipe, images.count());
  candidate.train_prompt = recipe.tune.train_prompt;
  candidate.checkpoint_hash = tuned.outputs.at("sha256");
  candidate.weights =
      tuned.dir / tuned.outputs.at("weights").get<std::string>();
  if (is_diffusion_arm(run.arm)) {
    candidate.generator_hash = datasets.at(generator_run(recipe, run).label())
                                   .outputs.at("dataset_hash");
  }
  return candidate;
}

// Prompt `detector`: one fit for each N and seed, shared by the arms. False
// when one was looked for and is not there.
bool give_detectors(const RunContext& context, const Study& study,
                    SharedSegmenter& shared,
                    std::vector<Candidate>& candidates) {
  bool complete = true;
  if (!asks_for_detector(context.recipe.experiment)) return complete;
  for (const ArmRun& run : subset_runs(context.recipe)) {
    const StageResult stage = fit_detector(context, study, run, shared);
    complete = complete && stage.finished;
    if (!stage.finished) continue;
    for (Candidate& candidate : candidates) {
      if (candidate.blind() || candidate.train_cohort != run.cohort ||
          candidate.n_real != run.n_real ||
          candidate.seed != static_cast<std::int64_t>(run.seed)) {
        continue;
      }
      candidate.detector = load_detector(stage);
      candidate.detector_hash = stage.outputs.at("sha256");
    }
  }
  return complete;
}

// All candidates, after tuning what is not tuned yet. Nothing where stages are
// only looked for and one is not finished.
std::optional<std::vector<Candidate>> make_candidates(
    const RunContext& context, const Study& study, SharedSegmenter& shared,
    const std::vector<ArmRun>& runs, const Datasets& datasets) {
  std::vector<Candidate> candidates =
      reference_candidates(context.recipe, study, shared.segmenter);
  bool complete = true;
  for (const ArmRun& run : runs) {
    const auto dataset =
        datasets.find(generator_run(context.recipe, run).label());
    if (is_diffusion_arm(run.arm) && !dataset->second.finished) {
      complete = false;
      continue;
    }
    const ArmImages images = arm_images(context, study, run, datasets);
    const StageResult tuned =
        tune_segmenter(context, study, run, images,
                       synthetic_inputs(context, study, run, datasets), shared);
    complete = complete && tuned.finished;
    if (!tuned.finished) continue;
    candidates.push_back(
        tuned_candidate(context, run, images, tuned, datasets));
  }
  complete = give_detectors(context, study, shared, candidates) && complete;
  if (!complete) return std::nullopt;
  return candidates;
}

void refuse_other_devices(const PlaceConfig& place) {
  if (place.device == "cpu") return;
  throw ConfigError("option place.device = " + place.device +
                    ": recipes are computed on the CPU only; leave it away");
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

// Synthetic images and nothing else (experiment.task = generate).
RunOutcome generate_only(const RunContext& context) {
  const Study study(context.recipe, context.comm, context.stages);
  RunOutcome outcome;
  for (const auto& [label, stage] :
       make_datasets(context, study, arm_runs(context.recipe))) {
    outcome.report = stage.dir / "dataset";
    outcome.table += label + ": " + stage.outputs.at("count").dump() +
                     " images, hash " +
                     stage.outputs.at("dataset_hash").get<std::string>() +
                     "\n  " + outcome.report.string() + "\n";
  }
  outcome.stages_done = context.stages.done();
  outcome.stages_skipped = context.stages.skipped();
  return outcome;
}

}  // namespace

RunOutcome run_recipe(const Recipe& recipe, const OptionTable& options,
                      const std::filesystem::path& out, bool update,
                      Communicator& comm, const StopSignal& stop) {
  at::set_num_threads(1);  // equal bits on any number of ranks
  recipe.validate();
  recipe.check_sources();
  recipe.check_lanes(comm.world_size());
  refuse_other_devices(recipe.place);
  open_run_folder(out, options, update, comm);
  open_recorder_folder(recorder_folder(out), comm);
  const PhaseMark mark(comm.recorder(), Phase::kStage, 0);
  JsonLines log(comm.rank() == 0 ? out / "log.jsonl" : "");
  StageRunner stages(comm, out / "stages", log);
  const RunContext context{recipe, options, comm, stages,
                           stop,   log,     out,  machine_kind()};

  if (recipe.experiment.task == "generate") return generate_only(context);
  SharedSegmenter shared(recipe, out);
  check_same(comm, "the segmenter's weights", shared.segmenter.weights_hash());

  const Study study(recipe, comm, stages);
  const auto runs = arm_runs(recipe);
  const StageResult leaks = find_near_duplicates(context, study, runs, shared);
  const auto datasets = make_datasets(context, study, runs);

  const auto candidates =
      make_candidates(context, study, shared, runs, datasets).value();
  Predictor predictor(shared.segmenter, shared.features,
                      recipe.experiment.jitter_px);
  const auto evaluated =
      evaluate(context, study, candidates, predictor, out / kEvaluationFolder,
               [&] { encode_tests(context, study, shared); });
  const StageResult quality =
      judge_quality(context, study, runs, datasets, shared);
  RunOutcome outcome = write_report(
      context, study,
      {candidates, datasets, quality.outputs, leaks.outputs, evaluated},
      predictor);
  outcome.stages_done = stages.done();
  outcome.stages_skipped = stages.skipped();
  return outcome;
}

namespace {

// Goes through the stages as a run does, and leaves off where what a stage
// needs is not there. True when every cell of the evaluation is there too.
bool look_for_stages(const RunContext& context) {
  const Recipe& recipe = context.recipe;
  const Study study(recipe, context.comm, context.stages);
  const auto runs = arm_runs(recipe);
  if (recipe.experiment.task == "generate") {
    make_datasets(context, study, runs);
    return false;
  }
  SharedSegmenter shared(recipe, context.out);
  find_near_duplicates(context, study, runs, shared);
  const auto datasets = make_datasets(context, study, runs);
  const auto candidates =
      make_candidates(context, study, shared, runs, datasets);
  const auto dir = context.out / kEvaluationFolder;
  if (!candidates || missing_cells(context, study, *candidates, dir) > 0) {
    return false;
  }
  Predictor unused(shared.segmenter, shared.features, 0);
  const Evaluated evaluated =
      evaluate(context, study, *candidates, unused, dir, [] {});
  context.stages.run("report", report_inputs(context, evaluated.cases),
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
