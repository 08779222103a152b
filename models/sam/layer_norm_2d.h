#pragma once
// Layer norm over the channels of an image, as the SAM family uses it.

#include "models/nn/module.h"

namespace sono {

class LayerNorm2d : public Module {
 public:
  explicit LayerNorm2d(std::int64_t channels, double eps = 1e-6);
  // [B, C, H, W] -> the same shape; channels-last in memory.
  at::Tensor operator()(const at::Tensor& x) const;

  at::Tensor weight, bias;

 private:
  double eps_;
};

}  // namespace sono
