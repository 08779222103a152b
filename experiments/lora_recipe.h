#pragma once
// What `sonoforge train diffusion` is told: a published model, a folder of
// images, and how a LoRA on the model is trained.

#include <string>
#include <vector>

#include "core/option.h"
#include "data/cohort.h"
#include "dist/recorder/phase.h"
#include "experiments/latent_preview.h"
#include "experiments/text_lora_config.h"
#include "models/lora/lora_config.h"
#include "trainer/latent_images.h"
#include "trainer/train_config.h"

namespace sono {

// [diffusion]
struct LatentDiffusionConfig {
  // "model": what the model's scheduler_config.json says; or epsilon,
  // v_prediction.
  std::string prediction = "model";
  bool zero_terminal_snr = false;  // with v_prediction; Lin et al. 2023
  double min_snr_gamma = 0;        // 5 is usual; 0: off
  double noise_offset = 0;         // 0.1 at most is usual
  double caption_dropout = 0;      // for guidance without a negative prompt
  // With data.channels concat or controlnet: that the mask is hidden.
  double mask_dropout = 0.1;
  int clip_skip = 1;  // 1: the text encoder's last layer
  // Of the published weights while training; what is trained is float32.
  std::string base_dtype = "float32";  // or bfloat16

  void validate() const;
};

// [validation]
struct HeldOutConfig {
  double fraction = 0;       // of the exams, never trained on; 0: none
  std::int64_t every = 100;  // steps
  int timesteps = 4;         // an image
};

// [output]
struct LoraOutputConfig {
  std::vector<std::string> dialects{"diffusers"};  // and peft, kohya
};

struct LoraRecipe {
  std::string model;      // folder as diffusers saves it, or single file
  std::string tokenizer;  // folder; of a single file, which holds none
  // Memory for faster forms of the UNet's frozen convolutions
  // (models/nn/frozen.h); changes rounding.
  std::int64_t frozen_mb = 0;
  std::string data;  // cohort folder
  CohortConfig annotations;
  LatentImageConfig images;
  LoraConfig lora;
  TextLoraConfig text_lora;
  LatentDiffusionConfig diffusion;
  TrainConfig train = defaults();
  DistConfig dist;
  HeldOutConfig validation;
  PreviewConfig preview;
  LoraOutputConfig output;
  // [place]
  std::string cache;  // of latents and captions; empty: OUT/cache
  double cache_gb = 40;
  Deadlines deadlines;
  std::string metrics_file;  // for Prometheus' node exporter; empty: none
  std::string trace_steps;   // "10-12"; a flag of `train`

  // ConfigError naming the option.
  void validate() const;
  MaskGuidance guidance() const {
    return parse_mask_guidance("data.channels", images.channels);
  }
  static TrainConfig defaults();

  // ConfigError for options that exclude one another.
  void validate_together() const;
};

void describe(OptionTable& table, LoraRecipe& recipe);

}  // namespace sono
