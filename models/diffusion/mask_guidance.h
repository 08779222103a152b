#pragma once
// How the mask of a training image takes part in a latent diffusion model, and
// what a network is shown of it.

#include <ATen/ATen.h>

#include <cstdint>
#include <string>

namespace sono {

enum class MaskGuidance {
  kNone,       // "grey": not at all
  kJoint,      // its outline is the image's third channel (Wang et al. 2025)
  kConcat,     // a channel beside the noisy latent, at every step
  kControlNet  // the condition image of a ControlNet (Zhang et al. 2023)
};

// "grey", "joint", "concat", "controlnet"; ConfigError naming `option`.
MaskGuidance parse_mask_guidance(const std::string& option,
                                 const std::string& text);

// A network is shown the mask itself, not the image's channels.
inline bool shows_mask(MaskGuidance guidance) {
  return guidance == MaskGuidance::kConcat ||
         guidance == MaskGuidance::kControlNet;
}

// What the network is shown of `mask`, fp32 [1, H, W] in 0..1. With kConcat
// [1, H / downscale, W / downscale] in -1..1: its mean over each latent pixel;
// with kControlNet [3, H, W] in 0..1. Zeros in its place hide the mask.
at::Tensor mask_guide(MaskGuidance guidance, const at::Tensor& mask,
                      std::int64_t downscale);

}  // namespace sono
