#pragma once
// A Stable Diffusion model of some hundred kB with random weights.

#include <filesystem>

namespace sono {

// In diffusers' folder layout: unet, vae, text_encoder, tokenizer, scheduler.
void write_tiny_stable_diffusion(const std::filesystem::path& folder);

}  // namespace sono
