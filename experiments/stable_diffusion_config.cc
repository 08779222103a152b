#include "experiments/stable_diffusion_config.h"

#include "core/error.h"

namespace sono {

void StableDiffusionConfig::validate() const {
  const std::string section = "stable_diffusion.";
  check_range(section + "resolution", resolution, 64, 4096);
  if (resolution % 64 != 0) {
    throw ConfigError("option stable_diffusion.resolution = " +
                      std::to_string(resolution) + " is no multiple of 64");
  }
  check_choice(section + "lora_per", lora_per, {"all", "trimester"});
  check_range(section + "clip_skip", clip_skip, 1, 12);
  check_choice(section + "sampler", sampler,
               {"ddim", "unipc", "dpmpp_2m", "ddpm", "euler_ancestral"});
  check_range(section + "sampling_steps", sampling_steps, 1, 1000);
  check_range(section + "guidance_scale", guidance_scale, 0, 100);
  check_range(section + "lora_strength", lora_strength, 0, 10);
  check_range(section + "outline_threshold", outline_threshold, 0, 254);
  check_range(section + "mask_dropout", mask_dropout, 0, 1);
  check_choice(section + "base_dtype", base_dtype, {"float32", "bfloat16"});
  if (caption.empty() || plain_caption.empty()) {
    throw ConfigError(
        "options stable_diffusion.caption and plain_caption must not be empty");
  }
}

void describe(OptionTable& table, StableDiffusionConfig& config) {
  // All of them came after runs had been kept.
  const auto add = [&](const char* key, auto* field, const char* help) {
    table.add(std::string("stable_diffusion.") + key, field,
              OptionKind::kAddedResult, help);
  };
  table.add("stable_diffusion.folder", &config.folder, OptionKind::kPlace,
            "the model's folder, as diffusers' save_pretrained writes it");
  add("resolution", &config.resolution,
      "side of the square images, px, a multiple of 64; cost grows with its "
      "square and more");
  add("caption", &config.caption,
      "text of training images and samples; may name {trimester}, {label}");
  add("plain_caption", &config.plain_caption,
      "text where the caption names a trimester that is not known");
  add("negative_prompt", &config.negative_prompt,
      "what guidance leads away from");
  add("lora_per", &config.lora_per, "one LoRA for all, or for each trimester");
  add("clip_skip", &config.clip_skip,
      "layer of the text encoder, from its end; 1: the last");
  add("sampler", &config.sampler,
      "unipc, ddim, dpmpp_2m, ddpm or euler_ancestral");
  add("sampling_steps", &config.sampling_steps,
      "network calls an image, twice with guidance");
  add("guidance_scale", &config.guidance_scale,
      "classifier-free guidance; 1 = off");
  add("lora_strength", &config.lora_strength,
      "strength of the LoRA in sampling");
  add("outline_threshold", &config.outline_threshold,
      "grey level of 255 above which the third channel is outline");
  add("mask_dropout", &config.mask_dropout,
      "arms concat and controlnet: probability that training hides the mask");
  add("base_dtype", &config.base_dtype,
      "of the frozen weights in training: float32 or bfloat16");
}

}  // namespace sono
