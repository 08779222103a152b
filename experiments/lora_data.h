#pragma once
// The images of `sonoforge train diffusion`, as its training and its held-out
// loss see them.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json_lines.h"
#include "data/pack_cache.h"
#include "dist/communicator.h"
#include "dist/stop_signal.h"
#include "experiments/lora_recipe.h"
#include "models/io/pretrained.h"
#include "trainer/latent_draws.h"

namespace sono {

// The caption of every image; DataError for one that has none.
nlohmann::json captions_of(const Cohort& cohort, const LoraRecipe& recipe);

struct LoraData {
  LatentExamples train;
  std::optional<LatentExamples> held_out;
  // Of preview.prompts, as LatentExample::text.
  std::vector<at::Tensor> preview_texts;
  double scaling_factor = 1;
};

// Encodes what the cache has not; with joint channels also says what the
// autoencoder alone costs. `cohort`, `cache` must outlive the result. The
// encoders are gone when this returns. All ranks must call.
LoraData encode_data(Communicator& comm, const LoraRecipe& recipe,
                     const Pretrained& model,
                     const std::map<std::string, std::string>& model_hashes,
                     const Cohort& cohort, PackCache& cache,
                     const StopSignal& stop, JsonLines& log);

}  // namespace sono
