#include "experiments/run_candidates.h"

#include "core/hash.h"
#include "experiments/evaluation/baselines.h"

namespace sono {
namespace {

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

// Prompt `detector`: one fit for each N and seed, shared by the arms.
void give_detectors(const RunContext& context, const Study& study,
                    SharedSegmenter& shared, RunCandidates& candidates) {
  if (!asks_for_detector(context.recipe.experiment)) return;
  for (const ArmRun& run : subset_runs(context.recipe)) {
    const StageResult stage = fit_detector(context, study, run, shared);
    if (!stage.finished) {
      candidates.missing.push_back("detector of " + run.label());
      continue;
    }
    for (Candidate& candidate : candidates.ready) {
      if (candidate.blind() || candidate.train_cohort != run.cohort ||
          candidate.n_real != run.n_real ||
          candidate.seed != static_cast<std::int64_t>(run.seed)) {
        continue;
      }
      candidate.detector = load_detector(stage);
      candidate.detector_hash = stage.outputs.at("sha256");
    }
  }
}

}  // namespace

RunCandidates make_candidates(const RunContext& context, const Study& study,
                              SharedSegmenter& shared,
                              const std::vector<ArmRun>& runs,
                              const Datasets& datasets) {
  RunCandidates found;
  found.ready = reference_candidates(context.recipe, study, shared.segmenter);
  for (const ArmRun& run : runs) {
    const auto dataset =
        datasets.find(generator_run(context.recipe, run).label());
    if (is_diffusion_arm(run.arm) && !dataset->second.finished) {
      found.missing.push_back(run.label());
      continue;
    }
    const ArmImages images = arm_images(context, study, run, datasets);
    const StageResult tuned =
        tune_segmenter(context, study, run, images,
                       synthetic_inputs(context, study, run, datasets), shared);
    if (!tuned.finished) {
      found.missing.push_back(run.label());
      continue;
    }
    found.ready.push_back(
        tuned_candidate(context, run, images, tuned, datasets));
  }
  give_detectors(context, study, shared, found);
  return found;
}

}  // namespace sono
