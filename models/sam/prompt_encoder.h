#pragma once
// SAM's prompt encoder (Kirillov et al. 2023, arXiv 2304.02643, sect. 3):
// points, boxes and masks to tokens for the mask decoder. Coordinates are
// pixels of the padded input frame, x before y; +0.5 moves them to centres.

#include <memory>
#include <vector>

#include "models/nn/layers.h"
#include "models/sam/layer_norm_2d.h"

namespace sono {

struct PromptEncoderConfig {
  std::int64_t channels = 256;
  std::int64_t grid = 64;            // side of the image embedding, tokens
  std::int64_t image_size_px = 256;  // side of the padded input frame
  std::int64_t mask_channels = 16;
};

// What the user points at; undefined tensors are absent. Equal B throughout.
struct SamPrompts {
  at::Tensor boxes;         // fp32 [B, 4]: x0, y0, x1, y1
  at::Tensor points;        // fp32 [B, N, 2]: x, y
  at::Tensor point_labels;  // int64 [B, N]: 1 in, 0 out, -1 no point
  at::Tensor masks;         // fp32 logits [B, 1, 4 * grid, 4 * grid]
};

struct PromptEmbedding {
  at::Tensor sparse;  // fp32 [B, tokens, C]
  at::Tensor dense;   // fp32 [B, C, grid, grid]
};

class PromptEncoder : public Module {
 public:
  explicit PromptEncoder(const PromptEncoderConfig& config = {});

  PromptEmbedding operator()(const SamPrompts& prompts) const;
  // Position encoding of the image embedding, fp32 [1, C, grid, grid].
  at::Tensor dense_position() const;

 private:
  // fp32 [..., 2] in 0 .. 1 -> fp32 [..., C]
  at::Tensor encode_position(const at::Tensor& unit_xy) const;
  at::Tensor encode_pixels(const at::Tensor& xy_px) const;
  at::Tensor embed_points(const SamPrompts& prompts) const;
  at::Tensor embed_boxes(const at::Tensor& boxes) const;
  at::Tensor embed_masks(const at::Tensor& masks) const;

  PromptEncoderConfig config_;
  at::Tensor gaussian_;
  std::vector<std::unique_ptr<Embedding>> point_embeddings_;
  Embedding not_a_point_embed_, no_mask_embed_;
  Conv2d mask_conv0_, mask_conv3_, mask_conv6_;
  LayerNorm2d mask_norm1_, mask_norm4_;
};

}  // namespace sono
