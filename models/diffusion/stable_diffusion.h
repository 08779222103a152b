#pragma once
// Text to image: Stable Diffusion's tokenizer, text encoder, UNet, sampler and
// autoencoder in the order of diffusers' StableDiffusionPipeline, with the
// condition image of a ControlNet where there is one. A LoRA counts that is
// attached to the networks (models/lora/lora_set.h).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/diffusion/scheduler_file.h"
#include "models/io/pretrained.h"
#include "models/text/clip_text_model.h"
#include "models/text/clip_tokenizer.h"
#include "models/unet/controlnet.h"
#include "models/vae/autoencoder_kl.h"

namespace sono {

// The condition image of a ControlNet.
struct ControlRequest {
  const ControlNet* net = nullptr;
  at::Tensor image;  // [1 or B, 3, height, width] in [0, 1]
  ControlStrength strength{};
};

// What is asked of one batch. An image is a function of its own prompts, seed
// and the other fields, and up to rounding not of its neighbours.
struct TextToImageRequest {
  std::vector<std::string> prompts;  // one an image
  // One an image, one for all, or none ("").
  std::vector<std::string> negative_prompts{};
  std::vector<std::uint64_t> seeds;  // one an image
  std::int64_t height = 512;         // px, multiples of the autoencoder's step
  std::int64_t width = 512;
  SamplerConfig sampler{};
  double guidance_scale = 7.5;  // 1 or less: the prompt alone, half the cost
  double guidance_rescale = 0;  // 0 .. 1, Lin et al. 2023
  std::int64_t clip_skip = 1;   // 1: the text encoder's last layer
  std::optional<ControlRequest> control{};
  // fp32 [1 or B, n, height / 8, width / 8] for the n input channels that the
  // UNet was given beside its own (EncoderHalf::add_input_channels).
  at::Tensor added_channels{};
  // fp32 [B, 4, height / 8, width / 8] in place of the seeds' noise.
  at::Tensor noise{};
  // Called before each network call; may throw to leave. May be empty.
  std::function<void()> before_call{};

  // Throws ConfigError naming the field; `step` is the autoencoder's.
  void validate(std::int64_t step) const;
};

// What turns noise into latents.
struct Denoiser {
  const UNet& unet;
  const NoiseScheduleConfig& noise;
  Prediction prediction = Prediction::kEpsilon;
};

// Whether a request wants tokens of negative prompts as well.
bool is_guided(const TextToImageRequest& request);

// The sampling alone: latents fp32 [B, C, h, w], as the UNet has them, of texts
// that are encoded: `tokens` [B, T, width], where guided [2 B, T, width], those
// of the negative prompts last. `shape`: C, h, w. The request's prompts, size
// and clip_skip are not looked at. No gradients.
at::Tensor sample_latents(const Denoiser& denoiser, const at::Tensor& tokens,
                          const std::vector<std::int64_t>& shape,
                          const TextToImageRequest& request);

// One thread at a time; knows nothing of ranks.
class StableDiffusion {
 public:
  // Loads all parts, fp32 or bf16. DataError naming file and remedy.
  StableDiffusion(const Pretrained& pretrained, const SchedulerFile& scheduler,
                  at::ScalarType dtype = at::kFloat);

  UNet& unet() { return unet_; }
  AutoencoderKL& vae() { return vae_; }
  ClipTextModel& text_encoder() { return text_encoder_; }
  const ClipTokenizer& tokenizer() const { return tokenizer_; }
  const NoiseScheduleConfig& noise() const { return noise_; }
  // The one that the model asks for; num_steps is the caller's choice.
  const SamplerConfig& sampler() const { return sampler_; }

  // [B, 77, width]
  at::Tensor encode(const std::vector<std::string>& prompts,
                    std::int64_t clip_skip) const;
  // fp32 [B, 4, height / 8, width / 8], as the UNet has them. No gradients.
  at::Tensor sample_latents(const TextToImageRequest& request) const;
  // Those latents as images [B, 3, height, width] in [0, 1].
  at::Tensor to_images(const at::Tensor& latents) const;

 private:
  at::Tensor encode_halves(const TextToImageRequest& request) const;

  ClipTokenizer tokenizer_;
  ClipTextModel text_encoder_;
  AutoencoderKL vae_;
  UNet unet_;
  NoiseScheduleConfig noise_;
  Prediction prediction_;
  SamplerConfig sampler_;
};

// An autoencoder's images of a UNet's latents, in [0, 1]. No gradients.
at::Tensor decode_latents(const AutoencoderKL& vae, const at::Tensor& latents);

// [0, 1] -> uint8 0..255, as diffusers rounds.
at::Tensor to_bytes(const at::Tensor& images);

}  // namespace sono
