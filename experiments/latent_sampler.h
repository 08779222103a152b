#pragma once
// Samples of a published model with the LoRAs or ControlNets of a run's groups,
// one image at a time, so that none depends on its neighbours. Where the model
// is shown a mask, it is an outline drawn from those of the training heads.

#include <memory>
#include <optional>
#include <vector>

#include "core/random.h"
#include "data/shards/writer.h"
#include "experiments/generation_job.h"
#include "experiments/latent_groups.h"
#include "experiments/run_context.h"
#include "models/diffusion/stable_diffusion.h"
#include "models/lora/lora_file.h"

namespace sono {

// Holds the whole model in memory. All references must outlive it.
class LatentSampler {
 public:
  // `adapted`, parallel to `groups`: the stages that trained their LoRAs or
  // ControlNets.
  LatentSampler(const RunContext& context, const Study& study,
                const ArmRun& run, std::vector<LatentGroup> groups,
                std::vector<StageResult> adapted);

  // One attempt at an image of the job, with what its gate says. The images of
  // group g are those from split_point(job.order.count, groups, g) on.
  ShardSample make(const PairAttempt& pair, const GenerationJob& job);

 private:
  void use_trained(std::size_t group);
  void use_lora(const std::filesystem::path& folder);
  cv::Mat draw_mask(const RandomKey& key, std::size_t group) const;
  void show_mask(TextToImageRequest& request, const cv::Mat& mask) const;
  TextToImageRequest request(const RandomKey& key, std::size_t group,
                             std::int64_t place) const;

  const RunContext& context_;
  std::vector<LatentGroup> groups_;
  std::vector<StageResult> adapted_;
  std::unique_ptr<StableDiffusion> networks_;
  MaskGuidance guidance_;
  std::vector<EllipsePrior> outlines_;  // one a group, where masks are shown
  OwnedLoras loras_;
  std::unique_ptr<ControlNet> control_;
  std::optional<std::size_t> loaded_;
};

}  // namespace sono
