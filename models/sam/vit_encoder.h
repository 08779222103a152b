#pragma once
// SAM's image encoder: a plain vision transformer with window attention in most
// blocks and attention over the whole image in a few (Kirillov et al. 2023,
// arXiv 2304.02643, sect. 3; ImageEncoderViT of Meta's segment-anything).

#include <memory>
#include <vector>

#include "models/nn/layers.h"
#include "models/sam/image_encoder.h"
#include "models/sam/neck.h"
#include "models/sam/vit_attention.h"

namespace sono {

// The defaults are ViT-B's.
struct VitConfig {
  std::int64_t image_size_px = 1024;
  std::int64_t patch_size_px = 16;
  std::int64_t width = 768;
  std::int64_t depth = 12;
  std::int64_t heads = 12;
  std::int64_t mlp_width = 3072;
  std::int64_t window = 14;  // side, tokens
  std::vector<std::int64_t> global_blocks{2, 5, 8, 11};
  // Side of the grid that the relative positions of the global blocks are for;
  // resized where it is another than the image's.
  std::int64_t table_grid = 64;
  std::int64_t out_channels = 256;

  std::int64_t grid() const { return image_size_px / patch_size_px; }
};

// Attention and MLP, each behind a layer norm and beside a shortcut. May be
// recomputed in backward (models/nn/recompute.h).
class VitBlock : public Module {
 public:
  VitBlock(const VitConfig& config, bool is_global);
  // fp32 [B, H, W, C] -> the same shape.
  at::Tensor operator()(const at::Tensor& x) const;

 protected:
  bool is_block() const override { return true; }

 private:
  at::Tensor forward(const at::Tensor& x) const;

  LayerNorm norm1_;
  VitAttention attn_;
  LayerNorm norm2_;
  Linear lin1_, lin2_;
};

class VitEncoder : public SamImageEncoder {
 public:
  explicit VitEncoder(const VitConfig& config = {});

  bool is_trainable() const override { return true; }
  // fp32 [B, 3, S, S] -> fp32 [B, out, S / patch, S / patch].
  at::Tensor operator()(const at::Tensor& images) const override;

 private:
  VitConfig config_;
  Conv2d patch_embed_;
  at::Tensor pos_embed_;  // [1, grid, grid, width]
  std::vector<std::unique_ptr<VitBlock>> blocks_;
  SamNeck neck_;
};

}  // namespace sono
