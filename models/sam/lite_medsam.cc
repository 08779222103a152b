#include "models/sam/lite_medsam.h"

namespace sono {

LiteMedSam::LiteMedSam() {
  add_module("image_encoder", image_encoder);
  add_module("prompt_encoder", prompt_encoder);
  add_module("mask_decoder", mask_decoder);
}

void LiteMedSam::load(const StateDict& state, const std::string& source) {
  load_state(state, source);
  requires_grad(false);
  image_encoder.fold();
  position_ = prompt_encoder.dense_position();
}

at::Tensor LiteMedSam::encode(const at::Tensor& images) const {
  return image_encoder(images);
}

SamMasks LiteMedSam::decode(const at::Tensor& embedding,
                            const SamPrompts& prompts,
                            MaskDecoder::Output output) const {
  return mask_decoder(embedding, position_, prompt_encoder(prompts), output);
}

}  // namespace sono
