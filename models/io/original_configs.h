#pragma once
// The config.json files that stand for a single file of the original code,
// which holds weights alone: those published with Stable Diffusion 1 and 2.

#include <cstdint>
#include <string>

namespace sono {

struct OriginalKind {
  bool version_2 = false;        // text encoder of open_clip, linear layers
  std::int64_t in_channels = 4;  // 9: inpainting
  std::string prediction_type = "epsilon";
};

std::string unet_config_text(const OriginalKind& kind);
std::string controlnet_config_text(const OriginalKind& kind);
std::string vae_config_text();
std::string text_encoder_config_text(const OriginalKind& kind);
std::string scheduler_config_text(const OriginalKind& kind);

}  // namespace sono
