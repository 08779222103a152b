#include "models/sam/sam.h"

namespace sono {
namespace {

std::unique_ptr<SamImageEncoder> make_encoder(const SamConfig& config) {
  if (const auto* vit = std::get_if<VitConfig>(&config.encoder)) {
    return std::make_unique<VitEncoder>(*vit);
  }
  return std::make_unique<TinyVitEncoder>(
      std::get<TinyVitConfig>(config.encoder));
}

}  // namespace

Sam::Sam(const SamConfig& config)
    : prompt_encoder(config.prompt),
      mask_decoder(config.decoder),
      config_(config),
      image_encoder_(make_encoder(config)) {
  add_module("image_encoder", *image_encoder_);
  add_module("prompt_encoder", prompt_encoder);
  add_module("mask_decoder", mask_decoder);
}

void Sam::load(const StateDict& state, const std::string& source) {
  load_state(state, source);
  requires_grad(false);
  image_encoder_->fold();
  position_ = prompt_encoder.dense_position();
}

void Sam::move_to(const at::Device& device) {
  to(device);
  image_encoder_->fold();
  position_ = prompt_encoder.dense_position();
}

at::Tensor Sam::encode(const at::Tensor& images) const {
  at::NoGradGuard no_grad;
  return (*image_encoder_)(images);
}

SamMasks Sam::decode(const at::Tensor& embedding, const SamPrompts& prompts,
                     MaskDecoder::Output output) const {
  return mask_decoder(embedding, position_, prompt_encoder(prompts), output);
}

}  // namespace sono
