#pragma once
// The stages that make synthetic pairs with a published Stable Diffusion model:
// a LoRA for each group of a run's images (Wang et al. 2025), or a ControlNet,
// then samples of it. The arm says how the mask takes part
// (models/diffusion/mask_guidance.h).

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "experiments/generation_job.h"
#include "experiments/latent_groups.h"
#include "experiments/run_context.h"
#include "models/diffusion/scheduler_file.h"
#include "models/io/pretrained.h"

namespace sono {

// The published model of a run and the content hashes of its parts. All ranks
// must make it; rank 0 reads the files for the hashes.
class LatentModel {
 public:
  // stable_diffusion.folder; ConfigError when it is no such model.
  explicit LatentModel(const RunContext& context);

  const Pretrained& files() const { return *files_; }
  const SchedulerFile& scheduler() const { return scheduler_; }
  // By part: unet, vae, text_encoder, tokenizer, scheduler.
  const std::map<std::string, std::string>& hashes() const { return hashes_; }

 private:
  std::unique_ptr<Pretrained> files_;
  SchedulerFile scheduler_;
  std::map<std::string, std::string> hashes_;
};

// Trains the LoRA of one group, or its ControlNet, on cached latents and texts.
// Outputs: "weights" (diffusers' file; others of LatentTrainee::save lie beside
// it), "sha256" (of these), "steps", "loss". All ranks must
// call, as the next.
StageResult adapt_latent(const RunContext& context, const Study& study,
                         const ArmRun& run, const LatentGroup& group,
                         const LatentModel& model);

// How pairs, or images where the arm has no outline, are made, each group's
// share by its own LoRA. `adapted` is parallel to `groups`. Context and study
// must outlive the job.
GenerationJob latent_generation(const RunContext& context, const Study& study,
                                const ArmRun& run,
                                const std::vector<LatentGroup>& groups,
                                const std::vector<StageResult>& adapted,
                                const LatentModel& model,
                                GenerationOrder order);

}  // namespace sono
