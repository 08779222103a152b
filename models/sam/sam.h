#pragma once
// A model of the SAM family: image encoder, prompt encoder and mask decoder.
// SAM ViT-B, L and H at 1024 px (Kirillov et al. 2023, arXiv 2304.02643;
// github.com/facebookresearch/segment-anything, Apache-2.0), or LiteMedSAM with
// a TinyViT at 256 px (Ma et al. 2024, github.com/bowang-lab/MedSAM, branch
// LiteMedSAM; Apache-2.0). Parameter names are those of the published files.

#include <memory>
#include <string>

#include "models/sam/mask_decoder.h"
#include "models/sam/prompt_encoder.h"
#include "models/sam/sam_config.h"

namespace sono {

class Sam : public Module {
 public:
  // By default LiteMedSAM.
  explicit Sam(const SamConfig& config = {});
  // Loads strictly (DataError naming `source`), freezes everything, and folds
  // the encoder. Unfreeze parts with requires_grad afterwards.
  void load(const StateDict& state, const std::string& source);

  // fp32 [B, 3, S, S] -> fp32 [B, C, grid, grid], S = config().image_size_px();
  // no gradient. LiteMedSAM wants pixels in [0, 1].
  at::Tensor encode(const at::Tensor& images) const;
  // embedding [B or 1, C, grid, grid]; gradients reach the mask decoder, the
  // prompt encoder and the embedding. Logits [B, masks, 4 grid, 4 grid].
  SamMasks decode(
      const at::Tensor& embedding, const SamPrompts& prompts,
      MaskDecoder::Output output = MaskDecoder::Output::kSingle) const;

  // Moves all of it, with what was made from the parameters.
  void move_to(const at::Device& device);

  const SamConfig& config() const { return config_; }
  SamImageEncoder& image_encoder() { return *image_encoder_; }
  const SamImageEncoder& image_encoder() const { return *image_encoder_; }

  PromptEncoder prompt_encoder;
  MaskDecoder mask_decoder;

 private:
  SamConfig config_;
  std::unique_ptr<SamImageEncoder> image_encoder_;
  at::Tensor position_;  // of the image embedding; constant after load
};

}  // namespace sono
