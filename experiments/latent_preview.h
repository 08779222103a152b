#pragma once
// Pictures while a latent model is trained: what it makes now of fixed prompts,
// masks and seeds, one page every so many steps. They change nothing.

#include <filesystem>
#include <string>
#include <vector>

#include "core/option.h"
#include "dist/communicator.h"
#include "models/diffusion/mask_guidance.h"
#include "models/diffusion/stable_diffusion.h"
#include "trainer/latent_task.h"

namespace sono {

// [preview]
struct PreviewConfig {
  std::int64_t every = 0;  // steps; 0: none
  int count = 4;           // pictures a page
  // In turn; none: the captions of the first images.
  std::vector<std::string> prompts{};
  std::string sampler = "unipc";
  int sampling_steps = 20;
  double guidance_scale = 7.5;

  void validate() const;
};

void describe(OptionTable& table, PreviewConfig& config);

// Draws the pages. What it is given must outlive it but for the examples.
class LatentPreview {
 public:
  struct Given {
    const Pretrained& model;  // for its autoencoder
    LatentExamples examples;  // shapes, masks and captions of the first ones
    // As LatentExample::text, of PreviewConfig::prompts.
    std::vector<at::Tensor> prompts{};
    MaskGuidance guidance = MaskGuidance::kNone;
    std::uint64_t seed = 0;
  };
  LatentPreview(const PreviewConfig& config, Given given,
                std::filesystem::path folder);

  // Writes FOLDER/step-NNNNNNNN.png, the same on any number of ranks. All ranks
  // must call.
  void draw(Communicator& comm, const LatentTask& task,
            std::int64_t steps_done) const;

 private:
  // fp32 [3, H, W] in 0..1; zeros where another rank makes it.
  at::Tensor picture(Communicator& comm, const LatentTask& task,
                     std::int64_t index) const;
  void write_page(const std::vector<at::Tensor>& pictures,
                  std::int64_t steps_done) const;

  PreviewConfig config_;
  Given given_;
  std::filesystem::path folder_;
  AutoencoderKL autoencoder_;
  std::int64_t count_;
};

}  // namespace sono
