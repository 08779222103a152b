#pragma once
// What the generator learns from, in its own resolution and classes.

#include <vector>

#include "experiments/arm_images.h"
#include "trainer/diffusion_task.h"
#include "trainer/ellipse_prior.h"

namespace sono {

// Class of a head: 0 without class condition, else 1 + 4 * domain + trimester
// (0 when unknown); the phantom styles are the first domains, the real training
// cohort is the last.
std::int64_t class_of(const Recipe& recipe, std::size_t domain, int trimester);
// Classes that a recipe needs: 4 for each phantom style and for the real one.
int class_count(const ExperimentConfig& config);

// Fresh phantoms, one for each view of the pretraining.
DiffusionExamples phantom_examples(const Recipe& recipe);
// Names the pretraining phantoms in a stage's inputs.
nlohmann::json phantom_inputs(const ExperimentConfig& config);

// The N real pairs of a run, resized to the generator's frame.
DiffusionExamples real_examples(const Recipe& recipe, const Study& study,
                                const ArmRun& run);

// What sdedit begins from: the phantoms of arm `phantom`, of the classes of the
// run's real images in turn.
std::function<DiffusionExample(std::int64_t index)> phantom_starts(
    const Recipe& recipe, const Study& study, const ArmRun& run);

// Outlines and classes of these N heads, that new ones are drawn from.
EllipsePrior training_prior(const Study& study, const ArmRun& run);
std::vector<std::int64_t> training_classes(const Recipe& recipe,
                                           const Study& study,
                                           const ArmRun& run);

}  // namespace sono
