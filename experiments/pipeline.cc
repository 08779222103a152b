#include "experiments/pipeline.h"

#include <ATen/Parallel.h>

#include <map>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "dist/recorder/flight_recorder.h"
#include "dist/recorder/rank_files.h"
#include "experiments/diffusion_examples.h"
#include "experiments/diffusion_stages.h"
#include "experiments/evaluation/baselines.h"
#include "experiments/evaluation/worker.h"
#include "experiments/quality_stage.h"
#include "experiments/run_folder.h"
#include "experiments/run_report.h"
#include "experiments/segmentation_stages.h"
#include "trainer/machine_kind.h"

namespace sono {
namespace {

std::vector<ArmRun> arm_runs(const ExperimentConfig& config) {
  std::vector<ArmRun> runs;
  for (int n : config.n_real) {
    for (int s = 0; s < config.seeds; ++s) {
      for (const auto& arm : config.arms) {
        runs.push_back({arm, n, config.first_seed + static_cast<unsigned>(s)});
      }
    }
  }
  return runs;
}

// The synthetic data sets of all diffusion runs, by label.
std::map<std::string, StageResult> make_datasets(
    const RunContext& context, const Study& study,
    const std::vector<ArmRun>& runs) {
  std::map<std::string, StageResult> pretrained, datasets;
  for (const ArmRun& run : runs) {
    if (!is_diffusion_arm(run.arm)) continue;
    if (!pretrained.count(run.arm)) {
      pretrained[run.arm] = pretrain_generator(context, run.arm);
    }
    const StageResult adapted =
        adapt_generator(context, study, run, pretrained.at(run.arm));
    datasets[run.label()] = generate_dataset(context, study, run, adapted);
  }
  return datasets;
}

// The images of one run: phantoms or accepted pairs stand in as synthetic.
ArmImages arm_images(const RunContext& context, const Study& study,
                     const ArmRun& run,
                     const std::map<std::string, StageResult>& datasets) {
  const ExperimentConfig& config = context.recipe.experiment;
  if (run.arm == "phantom") {
    return ArmImages(study, context.recipe, run,
                     static_cast<std::size_t>(config.synthetic_count),
                     [&config, set = kArmPhantoms + run.seed](std::size_t i) {
                       return phantom_sample(config, set, i);
                     });
  }
  if (!is_diffusion_arm(run.arm)) {
    return ArmImages(study, context.recipe, run, 0, nullptr);
  }
  const Cohort& cohort = *study.training().cohort;
  const auto first = study.subset(run.n_real, run.seed).at(0);
  auto pairs =
      std::make_shared<SyntheticPairs>(datasets.at(run.label()).dir / "dataset",
                                       cohort.load(first).image.size());
  return ArmImages(study, context.recipe, run, pairs->size(),
                   [pairs](std::size_t i) { return pairs->read(i); });
}

// Names where the synthetic images of a run come from.
nlohmann::json synthetic_inputs(
    const RunContext& context, const ArmRun& run,
    const std::map<std::string, StageResult>& datasets) {
  if (run.arm == "phantom") return phantom_inputs(context.recipe.experiment);
  if (!is_diffusion_arm(run.arm)) return nullptr;
  return datasets.at(run.label()).outputs.at("dataset_hash");
}

void encode_tests(const RunContext& context, const Study& study,
                  SharedSegmenter& shared) {
  for (const StudyCohort& entry : study.cohorts()) {
    shared.encode(context, entry.name, entry.test.size(), [&](std::size_t i) {
      return entry.cohort->load(entry.test[i]).image;
    });
  }
}

Candidate mean_mask_candidate(const Study& study, int n_real,
                              std::uint64_t seed) {
  std::vector<cv::Mat> masks;
  for (std::size_t i : study.subset(n_real, seed)) {
    masks.push_back(study.training().cohort->load(i).mask);
  }
  Candidate candidate;
  candidate.arm = kMeanMaskArm;
  candidate.n_real = n_real;
  candidate.seed = static_cast<std::int64_t>(seed);
  candidate.mean_mask = mean_training_mask(masks);
  candidate.checkpoint_hash =
      sha256_hex(study.subset_inputs(n_real, seed).dump());
  return candidate;
}

// What needs no training: the published weights and the blind baselines.
std::vector<Candidate> reference_candidates(const ExperimentConfig& config,
                                            const Study& study,
                                            const Segmenter& segmenter) {
  std::vector<Candidate> candidates(2);
  candidates[0].arm = kZeroShotArm;
  candidates[0].checkpoint_hash = segmenter.weights_hash();
  candidates[1].arm = kBlindEllipseArm;
  for (int n : config.n_real) {
    for (int s = 0; s < config.seeds; ++s) {
      candidates.push_back(mean_mask_candidate(
          study, n, config.first_seed + static_cast<unsigned>(s)));
    }
  }
  return candidates;
}

Candidate tuned_candidate(const RunContext& context, const ArmRun& run,
                          const ArmImages& images, const StageResult& tuned,
                          const std::map<std::string, StageResult>& datasets) {
  Candidate candidate;
  candidate.arm = run.arm;
  candidate.n_real = run.n_real;
  candidate.n_synthetic = static_cast<std::int64_t>(images.synthetic_count());
  candidate.seed = static_cast<std::int64_t>(run.seed);
  candidate.updates = context.recipe.segment.steps;
  candidate.train_prompt = "mixed";
  candidate.checkpoint_hash = tuned.outputs.at("sha256");
  candidate.weights =
      tuned.dir / tuned.outputs.at("weights").get<std::string>();
  if (is_diffusion_arm(run.arm)) {
    candidate.generator_hash =
        datasets.at(run.label()).outputs.at("dataset_hash");
  }
  return candidate;
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

}  // namespace

RunOutcome run_recipe(const Recipe& recipe, const OptionTable& options,
                      const std::filesystem::path& out, bool update,
                      Communicator& comm, const StopSignal& stop) {
  at::set_num_threads(1);  // equal bits on any number of ranks
  recipe.validate();
  recipe.check_lanes(comm.world_size());
  refuse_other_devices(recipe.place);
  open_run_folder(out, options, update, comm);
  open_recorder_folder(recorder_folder(out), comm);
  const PhaseMark mark(comm.recorder(), Phase::kStage, 0);
  JsonLines log(comm.rank() == 0 ? out / "log.jsonl" : "");
  StageRunner stages(comm, out / "stages", log);
  const RunContext context{recipe, options, comm, stages,
                           stop,   log,     out,  machine_kind()};

  SharedSegmenter shared(recipe.place, out);
  check_same(comm, "the segmenter's weights", shared.segmenter.weights_hash());

  const Study study(recipe, comm, stages);
  const auto runs = arm_runs(recipe.experiment);
  const auto datasets = make_datasets(context, study, runs);

  std::vector<Candidate> candidates =
      reference_candidates(recipe.experiment, study, shared.segmenter);
  for (const ArmRun& run : runs) {
    const ArmImages images = arm_images(context, study, run, datasets);
    const StageResult tuned =
        tune_segmenter(context, study, run, images,
                       synthetic_inputs(context, run, datasets), shared);
    candidates.push_back(
        tuned_candidate(context, run, images, tuned, datasets));
  }
  Predictor predictor(shared.segmenter, shared.features);
  const auto cases =
      evaluate(context, study, candidates, predictor, out / "evaluation",
               [&] { encode_tests(context, study, shared); });
  const StageResult quality =
      judge_quality(context, study, runs, datasets, shared);
  RunOutcome outcome =
      write_report(context, study,
                   {cases, candidates, datasets, quality.outputs}, predictor);
  outcome.stages_done = stages.done();
  outcome.stages_skipped = stages.skipped();
  return outcome;
}

}  // namespace sono
