#include "experiments/latent_groups.h"

#include <algorithm>
#include <array>
#include <map>

#include "core/error.h"
#include "data/ellipse.h"
#include "data/split.h"
#include "experiments/arms.h"
#include "trainer/aspect_buckets.h"

namespace sono {
namespace {

constexpr std::array<const char*, 4> kTrimesters = {"", "first", "second",
                                                    "third"};

void replace_all(std::string& text, const std::string& name,
                 const std::string& value) {
  for (auto at = text.find(name); at != std::string::npos;
       at = text.find(name, at + value.size())) {
    text.replace(at, name.size(), value);
  }
}

// The run's real images, or all training images in the order in which a subset
// takes them.
std::vector<std::size_t> candidates(const Recipe& recipe,
                                    const StudyCohort& cohort,
                                    const ArmRun& run) {
  const int count = recipe.experiment.generator_images == 0
                        ? run.n_real
                        : static_cast<int>(cohort.train.size());
  return nested_subset(*cohort.cohort, cohort.train, count, run.seed);
}

// The first `count` images of each label; all when 0.
std::vector<std::size_t> first_of_labels(const Cohort& cohort,
                                         const std::vector<std::size_t>& images,
                                         int count) {
  if (count == 0) return images;
  std::map<std::string, int> taken;
  std::vector<std::size_t> chosen;
  for (std::size_t i : images) {
    if (taken[cohort.entry(i).label]++ < count) chosen.push_back(i);
  }
  return chosen;
}

std::vector<std::string> prompts_of(const Cohort& cohort,
                                    const LatentGroup& group) {
  std::vector<std::string> labels, prompts;
  for (std::size_t i : group.images) labels.push_back(cohort.entry(i).label);
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  if (group.caption.find("{label}") == std::string::npos) labels = {""};
  for (const auto& label : labels) {
    prompts.push_back(group.caption);
    replace_all(prompts.back(), "{label}", label);
  }
  return prompts;
}

LatentGroup make_group(const Recipe& recipe, const Cohort& cohort,
                       int trimester, const std::vector<std::size_t>& images) {
  const StableDiffusionConfig& config = recipe.stable_diffusion;
  LatentGroup group;
  group.name = kTrimesters.at(static_cast<std::size_t>(trimester));
  group.images =
      first_of_labels(cohort, images, recipe.experiment.generator_images);
  const bool plain = trimester == 0 && config.names_trimester();
  group.caption = plain ? config.plain_caption : config.caption;
  replace_all(group.caption, "{trimester}", group.name);
  group.prompts = prompts_of(cohort, group);
  return group;
}

}  // namespace

MaskGuidance guidance_of(const ArmRun& run) {
  return parse_mask_guidance("experiment.arms",
                             run.arm == kImagesArm ? "grey" : run.arm);
}

EllipsePrior group_prior(const Study& study, const ArmRun& run,
                         const LatentGroup& group, int side) {
  const Cohort& cohort = study.training(run);
  std::vector<Ellipse> ellipses;
  for (std::size_t i : group.images) {
    const Sample sample = cohort.load(i);
    const auto ellipse =
        fit_ellipse(fit_to_bucket(sample.mask, {side, side}) > 127);
    if (!ellipse) {
      throw DataError("no ellipse fits the mask of " + sample.id +
                      " in cohort " + cohort.name() + ", cut to a square");
    }
    ellipses.push_back(*ellipse);
  }
  return EllipsePrior(ellipses, {side, side});
}

int trimester_of(const SampleInfo& info) {
  if (info.trimester > 0) return info.trimester;
  const std::string known = stratum(info.hc_reference_mm);
  if (known.empty()) return 0;
  return known == "<97" ? 1 : known == "97-255" ? 2 : 3;
}

std::vector<LatentGroup> latent_groups(const Recipe& recipe,
                                       const StudyCohort& entry,
                                       const ArmRun& run) {
  const Cohort& cohort = *entry.cohort;
  const auto images = candidates(recipe, entry, run);
  const StableDiffusionConfig& config = recipe.stable_diffusion;
  if (config.caption.find("{label}") != std::string::npos &&
      cohort.entry(images.at(0)).label.empty()) {
    throw ConfigError(
        "option stable_diffusion.caption names {label}, but "
        "cohort " +
        run.cohort + " has no class folders");
  }
  std::map<int, std::vector<std::size_t>> by_trimester;
  for (std::size_t i : images) {
    by_trimester[trimester_of(cohort.info(i))].push_back(i);
  }
  if (config.lora_per == "all" && config.names_trimester()) {
    throw ConfigError(
        "option stable_diffusion.caption names {trimester}, which needs "
        "stable_diffusion.lora_per = trimester");
  }
  const bool split = config.lora_per == "trimester" && by_trimester.size() > 1;
  std::vector<LatentGroup> groups;
  if (!split && config.lora_per == "all") {
    groups.push_back(make_group(recipe, cohort, 0, images));
    return groups;
  }
  for (const auto& [trimester, members] : by_trimester) {
    if (trimester == 0 && split) continue;  // of no known trimester
    groups.push_back(make_group(recipe, cohort, trimester, members));
  }
  return groups;
}

}  // namespace sono
