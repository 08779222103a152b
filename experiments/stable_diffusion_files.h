#pragma once
// A Stable Diffusion model in diffusers' folder layout, in the parts that
// training wants, one at a time.

#include <filesystem>
#include <memory>
#include <string>

#include "models/diffusion/scheduler_file.h"
#include "models/text/clip_text_model.h"
#include "models/text/clip_tokenizer.h"
#include "models/unet/unet.h"
#include "models/vae/autoencoder_kl.h"

namespace sono {

class StableDiffusionFiles {
 public:
  // ConfigError when the folder lacks a part.
  explicit StableDiffusionFiles(std::filesystem::path folder);

  std::unique_ptr<UNet> unet() const;
  std::unique_ptr<AutoencoderKL> autoencoder() const;
  std::unique_ptr<ClipTextModel> text_encoder() const;
  ClipTokenizer tokenizer() const;
  SchedulerFile scheduler() const;

  // SHA-256 of one part's configs and weights: "unet", "vae", "text_encoder",
  // "tokenizer" or "scheduler". Reads every file of it.
  std::string hash(const std::string& part) const;

 private:
  std::filesystem::path weights(const std::string& part) const;
  std::filesystem::path folder_;
};

}  // namespace sono
