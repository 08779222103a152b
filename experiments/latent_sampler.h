#pragma once
// Samples of a published model with the LoRAs of a run's groups, one image at a
// time, so that none depends on its neighbours.

#include <memory>
#include <optional>
#include <vector>

#include "data/shards/writer.h"
#include "experiments/latent_groups.h"
#include "experiments/run_context.h"
#include "models/diffusion/stable_diffusion.h"
#include "models/lora/lora_file.h"

namespace sono {

// Holds the whole model in memory. All references must outlive it.
class LatentSampler {
 public:
  // `adapted`, parallel to `groups`: the stages that trained their LoRAs.
  LatentSampler(const RunContext& context, const ArmRun& run,
                const std::vector<LatentGroup>& groups,
                const std::vector<StageResult>& adapted);

  // Image `index` of experiment.synthetic_count, with what its gate says. The
  // images of group g are those from split_point(count, groups, g) on.
  ShardSample make(std::int64_t index, nlohmann::json provenance);

 private:
  void use_lora(std::size_t group);
  TextToImageRequest request(std::int64_t index, std::size_t group,
                             std::int64_t place) const;

  const RunContext& context_;
  const ArmRun& run_;
  const std::vector<LatentGroup>& groups_;
  const std::vector<StageResult>& adapted_;
  std::unique_ptr<StableDiffusion> networks_;
  OwnedLoras loras_;
  std::optional<std::size_t> loaded_;
};

}  // namespace sono
