#pragma once
// What the parts of a latent training are told by the recipe of `sonoforge
// train diffusion`.

#include <memory>

#include "experiments/latent_trainee.h"
#include "experiments/lora_recipe.h"
#include "models/io/pretrained.h"
#include "trainer/latent_draws.h"
#include "trainer/latent_task.h"

namespace sono {

// model.path, with model.tokenizer. ConfigError where a single file comes
// without one.
std::unique_ptr<Pretrained> open_model(const LoraRecipe& recipe);

// Prediction and noise as the model's scheduler or the recipe has them.
// ConfigError for a combination that leaves nothing to learn.
LatentTaskConfig task_config(const LoraRecipe& recipe, const Pretrained& model);
LatentDrawConfig draw_config(const LoraRecipe& recipe,
                             const LatentTaskConfig& task,
                             double scaling_factor);
TrainConfig train_config(const LoraRecipe& recipe);
LatentTraineeOptions trainee_options(const LoraRecipe& recipe);

}  // namespace sono
