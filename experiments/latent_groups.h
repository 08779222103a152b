#pragma once
// Which images a LoRA on a published model learns from, and what is said of
// them: one group for all, or one for each trimester.

#include <string>
#include <vector>

#include "experiments/study.h"
#include "models/diffusion/mask_guidance.h"
#include "trainer/ellipse_prior.h"

namespace sono {

struct LatentGroup {
  std::string name;                 // "first", "second", "third"; empty for all
  std::vector<std::size_t> images;  // indices of the training cohort
  // Of the training images and, in turn, of the samples. {label} stays.
  std::string caption;
  // What the samples are asked for, in turn: the caption for each label.
  std::vector<std::string> prompts;
};

// How the mask takes part in a run's arm.
MaskGuidance guidance_of(const ArmRun& run);

// Outlines of a group's heads, that new ones are drawn from, in a square frame
// of `side` px, cut to it as the training images are.
EllipsePrior group_prior(const Study& study, const ArmRun& run,
                         const LatentGroup& group, int side);

// 1, 2 or 3; where only a head circumference is known that of the strata of
// data/cohort.h (under 97 mm, to 255 mm, above). 0 when neither is.
int trimester_of(const SampleInfo& info);

// experiment.generator_images of each group and label in the order of
// a subset, all that there are where fewer; 0: the run's own images. A
// trimester without images has no group; images without a trimester make one
// group of their own where no image has one. ConfigError when the caption names
// a label and the cohort has no class folders.
std::vector<LatentGroup> latent_groups(const Recipe& recipe,
                                       const StudyCohort& cohort,
                                       const ArmRun& run);

}  // namespace sono
