#include "experiments/plan/plan.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "experiments/evaluation/baselines.h"
#include "experiments/evaluation/candidate.h"
#include "experiments/latent_groups.h"
#include "experiments/segmentation_stages.h"
#include "experiments/study.h"

namespace sono {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::count(names.begin(), names.end(), name) > 0;
}

bool is_phantom(const Recipe& recipe, const std::string& cohort) {
  const auto found = recipe.data.sources.find(cohort);
  return found != recipe.data.sources.end() &&
         found->second.starts_with("phantom:");
}

// A phantom cohort that is not drawn yet, by its options.
PlannedCohort phantom_cohort(const Recipe& recipe, const std::string& name) {
  PlannedCohort cohort{name};
  cohort.images = recipe.data.phantom_count;
  const bool tests =
      recipe.data.test.empty() || contains(recipe.data.test, name);
  const bool trains = contains(recipe.data.train, name);
  cohort.test = tests ? cohort.images : 0;
  if (trains && tests) {
    cohort.test = std::lround(recipe.data.test_fraction *
                              static_cast<double>(cohort.images));
  }
  cohort.train = trains ? cohort.images - cohort.test : 0;
  if (recipe.data.test_limit > 0) {
    cohort.test = std::min<std::int64_t>(cohort.test, recipe.data.test_limit);
  }
  return cohort;
}

using Opened = std::map<std::string, StudyCohort>;

PlannedCohort plan_cohort(const Recipe& recipe, const std::string& name,
                          Opened& opened) {
  if (is_phantom(recipe, name)) return phantom_cohort(recipe, name);
  const auto source = recipe.data.sources.find(name);
  const auto gone = [&](const std::map<std::string, std::string>& lists) {
    const auto list = lists.find(name);
    return list != lists.end() && !std::filesystem::exists(list->second);
  };
  if (source == recipe.data.sources.end() ||
      !std::filesystem::is_directory(source->second) ||
      gone(recipe.data.train_lists) || gone(recipe.data.test_lists)) {
    PlannedCohort cohort{name};
    cohort.known = false;
    return cohort;
  }
  StudyCohort entry;
  entry.name = name;
  entry.cohort = std::make_unique<Cohort>(
      open_cohort(name, source->second, recipe.data.annotations));
  split_cohort(recipe, entry);
  PlannedCohort cohort{name};
  cohort.train = static_cast<std::int64_t>(entry.train.size());
  cohort.test = static_cast<std::int64_t>(entry.test.size());
  cohort.images = static_cast<std::int64_t>(entry.cohort->size());
  opened[name] = std::move(entry);
  return cohort;
}

std::int64_t synthetic_of(const Recipe& recipe, const ArmRun& run) {
  if (run.synthetic > 0) return run.synthetic;
  if (run.arm == "phantom" || is_diffusion_arm(run.arm)) {
    return recipe.experiment.synthetic_count;
  }
  return run.arm == kResolutionArm ? recipe.experiment.ceiling_images : 0;
}

void add_cohort_stages(const Recipe& recipe, Plan& plan) {
  for (const PlannedCohort& cohort : plan.cohorts) {
    if (is_phantom(recipe, cohort.name)) {
      plan.stages.push_back(
          {"phantom-" + cohort.name, Work::kPhantoms, cohort.images});
    }
    plan.stages.push_back(
        {"check-" + cohort.name, Work::kCheck, cohort.images});
  }
}

// At most the training images, and all test images.
void add_leak_check(Plan& plan) {
  std::int64_t images = 0;
  for (const PlannedCohort& cohort : plan.cohorts) {
    images += cohort.train + cohort.test;
  }
  plan.stages.push_back({"leaks", Work::kCheck, images});
}

void add_once(Plan& plan, PlannedStage stage) {
  const bool known = std::any_of(
      plan.stages.begin(), plan.stages.end(),
      [&](const PlannedStage& other) { return other.name == stage.name; });
  if (!known) plan.stages.push_back(std::move(stage));
}

void add_pixel_stages(const Recipe& recipe, const ArmRun& run, Plan& plan) {
  const ArmRun generator = generator_run(recipe, run);
  ArmRun adapted = generator;
  adapted.arm = generator_mode(run.arm);
  add_once(plan,
           {"pretrain-" + adapted.arm, Work::kPretrain, recipe.pretrain.steps});
  add_once(plan,
           {"adapt-" + adapted.label(), Work::kAdapt, recipe.adapt.steps});
}

// Where the cohort is not there, every trimester is taken to have images.
std::vector<std::string> group_names(const Recipe& recipe,
                                     const ArmRun& generator,
                                     const Opened& opened) {
  const auto cohort = opened.find(generator.cohort);
  if (cohort == opened.end()) {
    if (recipe.stable_diffusion.lora_per == "all") return {""};
    return {"first", "second", "third"};
  }
  std::vector<std::string> names;
  for (const auto& group : latent_groups(recipe, cohort->second, generator)) {
    names.push_back(group.name);
  }
  return names;
}

void add_latent_stages(const Recipe& recipe, const ArmRun& run,
                       const Opened& opened, Plan& plan) {
  const ArmRun generator = generator_run(recipe, run);
  for (const auto& name : group_names(recipe, generator, opened)) {
    add_once(plan,
             {"adapt-" + generator.label() + (name.empty() ? "" : "-" + name),
              Work::kAdapt, recipe.adapt.steps});
  }
}

void add_generator_stages(const Recipe& recipe, const Opened& opened,
                          Plan& plan) {
  for (const ArmRun& run : plan.runs) {
    if (!is_diffusion_arm(run.arm)) continue;
    if (recipe.latent()) {
      add_latent_stages(recipe, run, opened, plan);
    } else {
      add_pixel_stages(recipe, run, plan);
    }
  }
  for (const ArmRun& run : plan.runs) {
    if (!is_diffusion_arm(run.arm)) continue;
    add_once(plan, {"generate-" + generator_run(recipe, run).label(),
                    Work::kGenerate, recipe.experiment.synthetic_count});
  }
}

void add_tuning_stages(const Recipe& recipe, Plan& plan) {
  for (const ArmRun& run : plan.runs) {
    const std::int64_t synthetic = synthetic_of(recipe, run);
    const int variants =
        is_augmentation_arm(run.arm) ? recipe.experiment.augmented_variants : 1;
    const auto images = static_cast<std::size_t>(run.n_real + synthetic);
    plan.stages.push_back({"tune-" + run.label(), Work::kTune,
                           tuning_steps(recipe, images),
                           run.n_real * variants + synthetic});
  }
  if (!asks_for_detector(recipe.experiment)) return;
  for (ArmRun run : subset_runs(recipe)) {
    run.arm = "detector";
    plan.stages.push_back({run.label(), Work::kDetector, run.n_real});
  }
}

// Which prompts a candidate answers, times their draws.
std::int64_t answers_of(const Recipe& recipe, const std::string& arm,
                        bool has_detector, bool on_dose_curve = false) {
  Candidate candidate;
  candidate.arm = arm;
  if (has_detector) candidate.detector = at::zeros({1});
  std::int64_t answers = 0;
  for (const auto& prompt : recipe.experiment.prompts) {
    if (!candidate.answers(prompt)) continue;
    answers += prompt == "gt-box" ? recipe.experiment.draws : 1;
  }
  if (candidate.answers("gt-box") && !on_dose_curve) {
    const auto further = recipe.experiment.jitter_curve.size();
    answers += recipe.experiment.draws * static_cast<std::int64_t>(further);
  }
  return answers;
}

void add_evaluation(const Recipe& recipe, Plan& plan) {
  std::int64_t tests = 0, images = 0;
  for (const PlannedCohort& cohort : plan.cohorts) {
    if (recipe.data.test.empty() || contains(recipe.data.test, cohort.name)) {
      ++tests;
      images += cohort.test;
    }
  }
  std::int64_t answers = 0;
  for (const ArmRun& run : plan.runs)
    answers += answers_of(recipe, run.arm, true, run.synthetic > 0);
  plan.run_evaluations = answers * tests;
  const auto masks = static_cast<std::int64_t>(mean_mask_runs(recipe).size());
  plan.references = 2 + masks;
  answers += answers_of(recipe, kZeroShotArm, false) +
             answers_of(recipe, kBlindEllipseArm, false) +
             masks * answers_of(recipe, kMeanMaskArm, false);
  plan.cells = answers * tests;
  plan.predictions = answers * images;
  plan.stages.push_back(
      {"evaluation", Work::kEvaluate, plan.predictions, images});
  plan.stages.push_back({"report", Work::kReport, 1});
}

std::vector<std::string> missing_inputs(const Recipe& recipe) {
  std::vector<std::string> missing = recipe.missing_sources();
  const auto want = [&](const std::string& option, const std::string& path) {
    if (path.empty() || std::filesystem::exists(path)) return;
    missing.push_back("option " + option + " = " + path +
                      ": no such file or folder");
  };
  for (const auto& [name, source] : recipe.data.sources) {
    if (!is_phantom(recipe, name)) want("data." + name, source);
  }
  for (const auto& [name, file] : recipe.data.train_lists) {
    want("train_list." + name, file);
  }
  for (const auto& [name, file] : recipe.data.test_lists) {
    want("test_list." + name, file);
  }
  if (recipe.latent() && recipe.stable_diffusion.folder.empty()) {
    missing.push_back(
        "option stable_diffusion.folder is not set: give the model's folder, "
        "as diffusers saves it, with --set stable_diffusion.folder=FOLDER");
  }
  want("stable_diffusion.folder", recipe.stable_diffusion.folder);
  if (recipe.experiment.task == "generate") return missing;
  try {
    find_weights(recipe);
  } catch (const ConfigError& error) {
    missing.push_back(error.what());
  }
  return missing;
}

}  // namespace

Plan make_plan(const Recipe& recipe) {
  Plan plan;
  plan.missing = missing_inputs(recipe);
  Opened opened;
  for (const auto& name : recipe.data.cohorts) {
    plan.cohorts.push_back(plan_cohort(recipe, name, opened));
  }
  plan.runs = arm_runs(recipe);
  add_cohort_stages(recipe, plan);
  if (recipe.experiment.task == "segment") add_leak_check(plan);
  add_generator_stages(recipe, opened, plan);
  if (recipe.experiment.task == "generate") return plan;
  add_tuning_stages(recipe, plan);
  add_evaluation(recipe, plan);
  return plan;
}

}  // namespace sono
