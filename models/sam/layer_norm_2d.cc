#include "models/sam/layer_norm_2d.h"

namespace sono {

LayerNorm2d::LayerNorm2d(std::int64_t channels, double eps)
    : weight(add_parameter("weight", {channels},
                           {Initializer::Kind::kConstant, 1.0})),
      bias(add_parameter("bias", {channels})),
      eps_(eps) {}

at::Tensor LayerNorm2d::operator()(const at::Tensor& x) const {
  const at::Tensor tokens = x.permute({0, 2, 3, 1});
  return at::layer_norm(tokens, {weight.size(0)}, weight, bias, eps_)
      .permute({0, 3, 1, 2});
}

}  // namespace sono
