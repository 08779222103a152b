#include "experiments/generators.h"

#include <algorithm>

#include "core/check.h"
#include "experiments/diffusion_stages.h"

namespace sono {

Generators::Generators(const RunContext& context, const Study& study,
                       const std::vector<ArmRun>& runs)
    : context_(context), study_(study) {
  const Recipe& recipe = context.recipe;
  for (const ArmRun& run : runs) {
    if (!is_diffusion_arm(run.arm)) continue;
    const ArmRun generator = generator_run(recipe, run);
    const auto known = labels();
    if (std::find(known.begin(), known.end(), generator.label()) !=
        known.end()) {
      continue;
    }
    generators_.push_back({generator, {}, {}});
    if (!recipe.latent()) continue;
    if (!model_) model_.emplace(context);
    generators_.back().groups =
        latent_groups(recipe, study.cohort(run.cohort), generator);
  }
}

void Generators::train() {
  std::map<std::string, StageResult> pretrained;
  for (Generator& generator : generators_) {
    generator.adapted.clear();
    if (model_) {
      for (const LatentGroup& group : generator.groups) {
        generator.adapted.push_back(
            adapt_latent(context_, study_, generator.run, group, *model_));
      }
      continue;
    }
    const std::string mode = generator_mode(generator.run.arm);
    if (!pretrained.count(mode)) {
      pretrained[mode] = pretrain_generator(context_, mode);
    }
    generator.adapted.push_back(
        adapt_generator(context_, study_, generator.run, pretrained.at(mode)));
  }
}

Datasets Generators::make_datasets() {
  train();
  Datasets datasets;
  for (const Generator& generator : generators_) {
    datasets[generator.run.label()] = generate_dataset(
        context_,
        job(generator, recipe_order(context_, generator.run, sections())));
  }
  return datasets;
}

std::vector<std::string> Generators::labels() const {
  std::vector<std::string> labels;
  for (const Generator& g : generators_) labels.push_back(g.run.label());
  return labels;
}

std::optional<GenerationJob> Generators::recipe_job(
    const std::string& label) const {
  const Generator& generator = find(label);
  if (!trained(generator)) return std::nullopt;
  return job(generator, recipe_order(context_, generator.run, sections()));
}

std::optional<GenerationJob> Generators::production_job(
    const std::string& label, const ProductionSize& size) const {
  const Generator& generator = find(label);
  if (!trained(generator)) return std::nullopt;
  return job(generator, production_order(context_, size, sections()));
}

const Generators::Generator& Generators::find(const std::string& label) const {
  for (const Generator& generator : generators_) {
    if (generator.run.label() == label) return generator;
  }
  SONO_CHECK(false, "no generator " << label);
}

bool Generators::trained(const Generator& generator) const {
  return !generator.adapted.empty() &&
         std::all_of(generator.adapted.begin(), generator.adapted.end(),
                     [](const StageResult& stage) { return stage.finished; });
}

std::vector<std::string> Generators::sections() const {
  return {model_ ? "stable_diffusion" : "diffusion"};
}

GenerationJob Generators::job(const Generator& generator,
                              GenerationOrder order) const {
  if (model_) {
    return latent_generation(context_, study_, generator.run, generator.groups,
                             generator.adapted, *model_, std::move(order));
  }
  return pixel_generation(context_, study_, generator.run,
                          generator.adapted.at(0), std::move(order));
}

}  // namespace sono
