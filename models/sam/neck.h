#pragma once
// The end of SAM's image encoders: tokens as wide as the transformer to an
// embedding as wide as the mask decoder.

#include "models/nn/layers.h"
#include "models/sam/layer_norm_2d.h"

namespace sono {

class SamNeck : public Module {
 public:
  SamNeck(std::int64_t in_channels, std::int64_t channels);
  // fp32 [B, in, H, W] -> fp32 [B, C, H, W].
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  Conv2d project_;
  LayerNorm2d norm1_;
  Conv2d smooth_;
  LayerNorm2d norm2_;
};

}  // namespace sono
