#pragma once
// What a recipe asks of a published Stable Diffusion model that makes its
// synthetic images ([stable_diffusion]; diffusion.model = stable-diffusion).

#include <string>

#include "core/option.h"

namespace sono {

struct StableDiffusionConfig {
  std::string folder;    // of the model, as diffusers saves it
  int resolution = 512;  // px, images are square; a multiple of 64
  // Of training images and samples; may name {trimester} or {label}.
  std::string caption = "An ultrasound image of a fetal head.";
  // For images whose trimester is not known, where the caption names one.
  std::string plain_caption = "An ultrasound image of a fetal head.";
  std::string negative_prompt;
  std::string lora_per = "all";  // or "trimester": one LoRA for each
  int clip_skip = 1;             // 1: the text encoder's last layer
  std::string sampler = "unipc";
  int sampling_steps = 30;
  double guidance_scale = 7.5;
  double lora_strength = 1;     // when sampling
  int outline_threshold = 180;  // grey level of 255 above which outline is
  // Arms concat and controlnet: probability that training hides the mask.
  double mask_dropout = 0.1;
  // Of the published weights while training: float32 or bfloat16.
  std::string base_dtype = "float32";

  // ConfigError naming the option.
  void validate() const;
  bool names_trimester() const {
    return caption.find("{trimester}") != std::string::npos;
  }
};

void describe(OptionTable& table, StableDiffusionConfig& config);

}  // namespace sono
