#pragma once
// The sizes of a member of the SAM family: LiteMedSAM or SAM ViT-B, L, H.

#include <string>
#include <variant>

#include "models/sam/mask_decoder.h"
#include "models/sam/prompt_encoder.h"
#include "models/sam/tiny_vit_encoder.h"
#include "models/sam/vit_encoder.h"

namespace sono {

struct SamConfig {
  std::variant<TinyVitConfig, VitConfig> encoder;
  PromptEncoderConfig prompt;
  MaskDecoderConfig decoder;

  // Pixels of the encoder's square input.
  std::int64_t image_size_px() const { return prompt.image_size_px; }
  // Side of the mask decoder's logits.
  std::int64_t mask_size_px() const { return 4 * prompt.grid; }
  bool is_vit() const { return std::holds_alternative<VitConfig>(encoder); }
};

// "lite_medsam", "vit_b", "vit_l" or "vit_h"; ConfigError for another name.
SamConfig named_sam_config(const std::string& name);

// Which model a published checkpoint is of, from its names and shapes (Meta's
// names; see hugging_face_keys.h for the others). The decoder's eight heads
// leave no trace there, so that number is assumed. DataError naming `source`
// when it is no SAM.
SamConfig detect_sam_config(const StateDict& state, const std::string& source);

}  // namespace sono
