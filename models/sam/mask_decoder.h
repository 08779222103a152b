#pragma once
// SAM's mask decoder: image embedding and prompt tokens to mask logits and a
// guess of each mask's IoU (Kirillov et al. 2023, appendix A).

#include <array>
#include <memory>
#include <vector>

#include "models/nn/layers.h"
#include "models/sam/patch_upscale.h"
#include "models/sam/prompt_encoder.h"
#include "models/sam/two_way_transformer.h"

namespace sono {

// Three linear layers with ReLU between.
class SamMlp : public Module {
 public:
  SamMlp(std::int64_t in_features, std::int64_t hidden,
         std::int64_t out_features);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  Linear first_, second_, third_;
};

struct SamMasks {
  at::Tensor logits;  // fp32 [B, masks, 4 * grid, 4 * grid]
  at::Tensor iou;     // fp32 [B, masks]
};

struct MaskDecoderConfig {
  TwoWayConfig transformer;
  std::int64_t iou_width = 256;  // inside the guess of the IoU
};

class MaskDecoder : public Module {
 public:
  // kSingle gives the one mask meant for unambiguous prompts (a box); kMulti
  // the three for ambiguous ones.
  enum class Output { kSingle, kMulti };
  static constexpr int kNumMasks = 4;

  explicit MaskDecoder(const MaskDecoderConfig& config = {});

  // embedding fp32 [B, C, grid, grid] (or B = 1 for many prompts of one image),
  // position [1, C, grid, grid].
  SamMasks operator()(const at::Tensor& embedding, const at::Tensor& position,
                      const PromptEmbedding& prompt,
                      Output output = Output::kSingle) const;

 private:
  // [B, grid * grid, C] -> [B, 16 * grid * grid, C / 8], block by block.
  at::Tensor upscale(const at::Tensor& tokens) const;

  TwoWayTransformer transformer_;
  Embedding iou_token_, mask_tokens_;
  PatchUpscale upscale0_, upscale3_;
  LayerNorm upscale_norm1_;
  std::vector<std::unique_ptr<SamMlp>> hypernetworks_;
  SamMlp iou_head_;
};

}  // namespace sono
