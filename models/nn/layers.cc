#include "models/nn/layers.h"

#include <cmath>

#include "models/nn/frozen_conv.h"
#include "models/nn/frozen_product.h"

namespace sono {
namespace {

// Kaiming-uniform with a = sqrt(5), torch.nn's default for weights, and the
// same bound for biases: U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
Initializer fan_in_uniform(std::int64_t fan_in) {
  return {Initializer::Kind::kUniform,
          1.0 / std::sqrt(static_cast<double>(fan_in))};
}

std::vector<at::Tensor> tensors_of(const LowRank* low_rank) {
  if (low_rank == nullptr) return {};
  return {low_rank->down, low_rank->up};
}

constexpr Initializer kOnes{Initializer::Kind::kConstant, 1.0};

}  // namespace

Linear::Linear(std::int64_t in_features, std::int64_t out_features,
               bool with_bias) {
  const auto start = fan_in_uniform(in_features);
  weight = add_parameter("weight", {out_features, in_features}, start);
  if (with_bias) bias = add_parameter("bias", {out_features}, start);
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  if (low_rank == nullptr && !frozen_form) return at::linear(x, weight, bias);
  // Rows first: adding in place into a view would make autograd copy the whole
  // gradient.
  const at::Tensor rows = x.reshape({-1, x.size(-1)});
  at::Tensor y = multiply(rows);
  if (low_rank != nullptr) y = low_rank->add_linear(y, x);
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = y.size(1);
  return y.view(shape);
}

at::Tensor Linear::multiply(const at::Tensor& rows) const {
  const bool trained =
      weight.requires_grad() || (bias.defined() && bias.requires_grad());
  if (frozen_form && !trained && product_pays(weight, rows.size(0))) {
    return frozen_linear(rows, weight, bias);
  }
  return at::linear(rows, weight, bias);
}

std::vector<at::Tensor> Linear::borrowed() const {
  return tensors_of(low_rank);
}

Conv2d::Conv2d(std::int64_t in_channels, std::int64_t out_channels,
               ConvOptions options)
    : options_(options) {
  const std::int64_t k = options.kernel;
  const std::int64_t group_in = in_channels / options.groups;
  const auto start = fan_in_uniform(group_in * k * k);
  weight = add_parameter("weight", {out_channels, group_in, k, k}, start);
  if (options.bias) bias = add_parameter("bias", {out_channels}, start);
}

at::Tensor Conv2d::convolve(const at::Tensor& x) const {
  const bool trained =
      weight.requires_grad() || (bias.defined() && bias.requires_grad());
  if (trained || options_.groups > 1) {
    return at::conv2d(x, weight, bias, options_.stride, options_.padding,
                      /*dilation=*/1, options_.groups);
  }
  if (winograd && winograd->holds(weight) && WinogradConv::pays(x)) {
    return (*winograd)(x, bias);
  }
  return frozen_conv2d(x, weight, bias, options_.stride, options_.padding);
}

at::Tensor Conv2d::operator()(const at::Tensor& x) const {
  const at::Tensor y = convolve(x);
  if (low_rank == nullptr) return y;
  return low_rank->add_conv2d(y, x, options_.stride, options_.padding);
}

std::vector<at::Tensor> Conv2d::borrowed() const {
  return tensors_of(low_rank);
}

GroupNorm::GroupNorm(std::int64_t groups, std::int64_t channels, double eps)
    : weight(add_parameter("weight", {channels}, kOnes)),
      bias(add_parameter("bias", {channels})),
      groups_(groups),
      eps_(eps) {}

at::Tensor GroupNorm::operator()(const at::Tensor& x) const {
  return at::group_norm(x, groups_, weight, bias, eps_);
}

LayerNorm::LayerNorm(std::int64_t features, double eps)
    : weight(add_parameter("weight", {features}, kOnes)),
      bias(add_parameter("bias", {features})),
      eps_(eps) {}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x, {weight.size(0)}, weight, bias, eps_);
}

Embedding::Embedding(std::int64_t count, std::int64_t features)
    : weight(add_parameter("weight", {count, features},
                           {Initializer::Kind::kNormal, 1.0})) {}

at::Tensor Embedding::operator()(const at::Tensor& index) const {
  return at::embedding(weight, index);
}

}  // namespace sono
