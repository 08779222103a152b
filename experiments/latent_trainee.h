#pragma once
// What a training on a published model changes and computes with: the UNet
// with a LoRA, added mask channels or a ControlNet, and the text encoder with
// a LoRA of its own.

#include <ATen/ATen.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "experiments/text_lora_config.h"
#include "models/diffusion/mask_guidance.h"
#include "models/io/pretrained.h"
#include "models/lora/lora_file.h"
#include "trainer/latent_task.h"

namespace sono {

struct LatentTraineeOptions {
  LoraConfig lora;
  TextLoraConfig text_lora;
  MaskGuidance guidance = MaskGuidance::kNone;
  // Of the published weights; what is trained is fp32.
  at::ScalarType base_dtype = at::kFloat;
  std::int64_t frozen_bytes = 0;  // models/nn/frozen.h
  std::int64_t clip_skip = 1;
  std::uint64_t seed = 0;
};

class LatentTrainee {
 public:
  // Looks at configs alone. ConfigError for a target that no layer fits and
  // for a model that the guidance does not go with. `model` must outlive this.
  LatentTrainee(const Pretrained& model, const LatentTraineeOptions& options);

  // Reads the weights and draws what training starts from.
  void load();
  // Only after load().
  LatentNetworks networks();
  // Puts the moving average of a checkpoint in place of what was trained.
  void use_average(LatentTask& task, const std::filesystem::path& checkpoint);

  // Writes what was trained: LoRAs of `dialect` to `folder`, with mask channels
  // also conv_in.safetensors there; or a ControlNet as diffusers saves one.
  void save(LoraDialect dialect, const std::filesystem::path& folder) const;

 private:
  void load_control();

  const Pretrained& model_;
  LatentTraineeOptions options_;
  UNet unet_;
  std::vector<LoraTarget> targets_, text_targets_;
  std::unique_ptr<ClipTextModel> text_encoder_;  // while it is trained
  std::unique_ptr<LoraSet> lora_, text_lora_;
  std::unique_ptr<ControlNet> control_;
};

// The UNet's conv_in as wide as added channels make it, in the names of
// diffusers' files: what a UNet of in_channels + added would hold.
inline constexpr char kWideInputFile[] = "conv_in.safetensors";
// Gives a published UNet the added channels of such a file. DataError when the
// file is of another model.
void load_wide_input(UNet& unet, const std::filesystem::path& file);

}  // namespace sono
