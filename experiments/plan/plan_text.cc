#include "experiments/plan/plan_text.h"

#include <algorithm>
#include <cstdio>

#include "core/progress.h"
#include "experiments/plan/space.h"

namespace sono {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string joined(const std::vector<int>& numbers) {
  std::vector<std::string> words;
  for (int n : numbers) words.push_back(std::to_string(n));
  return joined(words);
}

// 1234567 -> "1,234,567".
std::string grouped(std::int64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

// With blanks up to `width`, one at least.
std::string padded(const std::string& text, std::size_t width) {
  const std::size_t blanks = text.size() < width ? width - text.size() : 1;
  return text + std::string(blanks, ' ');
}

std::string count_text(const PlannedCohort& cohort, const std::string& source) {
  if (!cohort.known) return "images not known";
  std::string text = grouped(cohort.images) + " images";
  if (cohort.train > 0) text += ", " + grouped(cohort.train) + " to train on";
  text += ", " + grouped(cohort.test) + " to test on";
  return text + "  (" + source + ")";
}

std::string inputs_text(const PlanText& input) {
  std::string text = "cohorts\n";
  for (const PlannedCohort& cohort : input.plan.cohorts) {
    const auto source = input.recipe.data.sources.find(cohort.name);
    text += "  " + padded(cohort.name, 14) +
            count_text(cohort, source == input.recipe.data.sources.end()
                                   ? ""
                                   : source->second) +
            "\n";
  }
  if (input.plan.missing.empty()) return text;
  text += "\nmissing: a run would end with exit code 2\n";
  for (const auto& line : input.plan.missing) text += "  " + line + "\n";
  return text;
}

std::string runs_text(const PlanText& input) {
  const ExperimentConfig& config = input.recipe.experiment;
  if (config.task == "generate") {
    return "\nimages alone, of " + joined(input.recipe.data.train) + ", " +
           std::to_string(config.seeds) +
           (config.seeds == 1 ? " seed\n" : " seeds\n");
  }
  return "\nruns: " +
         grouped(static_cast<std::int64_t>(input.plan.runs.size())) +
         "\n  arms           " + joined(config.arms) + "\n  real images    " +
         joined(config.n_real) + "\n  seeds          " +
         std::to_string(config.seeds) + "\n  trained on     " +
         joined(input.recipe.data.train) + "\n  protocol       " +
         config.protocol + "\n";
}

// Both halves of the guidance count.
std::int64_t network_calls(const Recipe& recipe, const PlannedStage& stage) {
  const std::int64_t steps = recipe.latent()
                                 ? recipe.stable_diffusion.sampling_steps
                                 : recipe.diffusion.sampler.num_steps;
  const double guidance = recipe.latent()
                              ? recipe.stable_diffusion.guidance_scale
                              : recipe.diffusion.guidance_scale;
  return stage.items * steps * (guidance == 1 ? 1 : 2);
}

std::string work_text(const Recipe& recipe, const PlannedStage& stage) {
  const std::string items = grouped(stage.items);
  const auto updates = [&](const TrainConfig& config) {
    return items + " updates of " + std::to_string(config.batch_size);
  };
  switch (stage.work) {
    case Work::kPretrain:
      return updates(recipe.pretrain);
    case Work::kAdapt:
      return updates(recipe.adapt);
    case Work::kTune:
      return updates(recipe.segment) + ", " + grouped(stage.encoded) +
             " images";
    case Work::kGenerate:
      return items + " images, " + grouped(network_calls(recipe, stage)) +
             " network calls";
    case Work::kEvaluate:
      return stage.items == 0 ? "test images not known"
                              : items + " predictions";
    case Work::kReport:
      return "";
    case Work::kCheck:
      return stage.items == 0 ? "images not known" : items + " images";
    default:
      return items + " images";
  }
}

struct Total {
  double left = 0;  // seconds of what is not finished
  std::int64_t updates = 0, images = 0;
};

std::string stages_text(const PlanText& input, Total& total) {
  std::string text = "\nstages, in order\n";
  for (const PlannedStage& stage : input.plan.stages) {
    const double seconds =
        stage_seconds(input.recipe, stage, input.costs, input.ranks);
    if (stage.work == Work::kGenerate) total.images += stage.items;
    if (stage.work == Work::kPretrain || stage.work == Work::kAdapt ||
        stage.work == Work::kTune) {
      total.updates += stage.items;
    }
    if (!stage.finished) total.left += seconds;
    text += "  " + padded(stage.name, 34) +
            padded(work_text(input.recipe, stage), 42) +
            (stage.finished ? "finished"
             : seconds > 0  ? duration_text(seconds)
                            : "") +
            "\n";
  }
  return text;
}

std::string basis_text(const PlanText& input) {
  const UnitCosts& c = input.costs;
  char text[512];
  std::snprintf(text, sizeof(text),
                "  measured on this machine, one thread a rank, seconds: lane "
                "of pretraining %.3f,\n  of adaptation %.3f, image generated "
                "%.3f, image encoded %.3f, lane of tuning %.3f,\n  prediction "
                "with scores %.3f, phantom %.3f (0: not in the plan, or its "
                "weights are missing).\n  Ranks are taken to share lanes and "
                "items evenly, each on a core of its own, and\n  no image to "
                "be encoded yet; reading files and communication come on "
                "top.\n",
                c.pretrain_lane, c.adapt_lane, c.generate_image, c.encode,
                c.tune_lane, c.predict, c.phantom);
  std::string basis = text;
  if (input.recipe.latent()) {
    basis +=
        "  What the published model does is counted, not measured: operations "
        "of Stable\n  Diffusion 1.5, at the speed of one of its convolutions "
        "here.\n";
  }
  return basis;
}

}  // namespace

std::string plan_text(const PlanText& input) {
  const Plan& plan = input.plan;
  Total total;
  std::string text = input.recipe.experiment.title + "\nplan for " +
                     input.out.string() + "; nothing is done\n\n" +
                     inputs_text(input) + runs_text(input) +
                     stages_text(input, total);
  text += "\nin all\n  " + grouped(total.updates) + " updates, " +
          grouped(total.images) + " images to generate\n";
  if (plan.cells > 0) {
    text += "  " + grouped(plan.run_evaluations) +
            " evaluations of runs (run x cohort x prompt x draw), " +
            grouped(plan.cells) + " with the " + grouped(plan.references) +
            " references\n";
  }
  text += "  disk: " + space_need(input.recipe, plan).text() + "\n";
  const bool whole = plan.missing.empty();
  text += "\nestimate: " + duration_text(total.left) + " on " +
          std::to_string(input.ranks) +
          (input.ranks == 1 ? " rank" : " ranks") + " of this kind" +
          (whole ? "" : ", without what is missing") + "\n" + basis_text(input);
  return text;
}

}  // namespace sono
