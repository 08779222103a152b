#pragma once
// LiteMedSAM: TinyViT encoder at 256 px, SAM's prompt encoder and mask decoder
// (Ma et al. 2024, github.com/bowang-lab/MedSAM, branch LiteMedSAM;
// Apache-2.0). Parameter names are those of the published checkpoint.

#include <string>

#include "models/sam/mask_decoder.h"
#include "models/sam/prompt_encoder.h"
#include "models/sam/tiny_vit_encoder.h"

namespace sono {

class LiteMedSam : public Module {
 public:
  static constexpr std::int64_t kImageSizePx = 256;

  LiteMedSam();
  // Loads strictly (DataError naming `source`), freezes everything, and folds
  // the encoder's batch norms. Unfreeze parts with requires_grad afterwards.
  void load(const StateDict& state, const std::string& source);

  // fp32 [B, 3, 256, 256] in [0, 1] -> fp32 [B, 256, 64, 64]; no gradient.
  at::Tensor encode(const at::Tensor& images) const;
  // embedding [B or 1, 256, 64, 64]; gradients reach the mask decoder.
  SamMasks decode(
      const at::Tensor& embedding, const SamPrompts& prompts,
      MaskDecoder::Output output = MaskDecoder::Output::kSingle) const;

  TinyVitEncoder image_encoder;
  PromptEncoder prompt_encoder;
  MaskDecoder mask_decoder;

 private:
  at::Tensor position_;  // of the image embedding; constant after load
};

}  // namespace sono
