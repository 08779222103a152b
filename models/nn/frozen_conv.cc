#include "models/nn/frozen_conv.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <array>
#include <memory>
#include <vector>

#include "models/nn/frozen_product.h"

namespace sono {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

// Where a product of matrices was the faster one, measured on the CPU in fp32:
// 2560 -> 1280 channels on 4 x 4 pixels take 11 ms in place of 49, 1280 -> 1280
// on 16 x 16 take 42 in place of 55; 640 -> 640 gain nothing.
constexpr std::int64_t kLeastWeights = 1 << 23;
constexpr std::int64_t kMostPixels = 256;  // of one output map

struct Geometry {
  std::vector<std::int64_t> input;  // sizes
  std::int64_t kernel, stride, padding;

  std::int64_t output_side(int dimension) const {
    const auto side = input[static_cast<std::size_t>(dimension)];
    return (side + 2 * padding - kernel) / stride + 1;
  }
  std::int64_t pixels() const { return output_side(2) * output_side(3); }
  bool is_pointwise() const {
    return kernel == 1 && stride == 1 && padding == 0;
  }
};

bool as_product(const Geometry& g, const at::Tensor& weight) {
  return weight.device().is_cpu() && weight.scalar_type() == at::kFloat &&
         weight.numel() >= kLeastWeights && g.pixels() <= kMostPixels;
}

// One image's product, so that no image's bits depend on its batch: [rows, N]
// of `weight` [rows, K] and `columns` [K, N].
at::Tensor times_columns(const at::Tensor& weight, const at::Tensor& columns) {
  if (!product_pays(weight, columns.size(1))) return at::mm(weight, columns);
  return frozen_product(columns.t(), weight).t();
}

at::Tensor product_forward(const Geometry& g, const at::Tensor& x,
                           const at::Tensor& weight, const at::Tensor& bias) {
  const std::int64_t k = g.kernel, p = g.padding, s = g.stride;
  const at::Tensor columns =
      g.is_pointwise() ? x.flatten(2)
                       : at::im2col(x, {k, k}, {1, 1}, {p, p}, {s, s});
  at::Tensor y =
      at::empty({x.size(0), weight.size(0), g.output_side(2), g.output_side(3)},
                x.options());
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    y[i].copy_(times_columns(weight.flatten(1), columns[i]).view_as(y[i]));
  }
  return bias.defined() ? y.add_(bias.view({1, -1, 1, 1})) : y;
}

at::Tensor product_backward(const Geometry& g, const at::Tensor& gradient,
                            const at::Tensor& weight) {
  const std::int64_t k = g.kernel, p = g.padding, s = g.stride;
  std::vector<at::Tensor> images;
  for (std::int64_t i = 0; i < gradient.size(0); ++i) {
    images.push_back(
        times_columns(weight.flatten(1).t(), gradient[i].flatten(1)));
  }
  const at::Tensor columns = at::stack(images);
  if (g.is_pointwise()) return columns.view(g.input);
  return at::col2im(columns, {g.input[2], g.input[3]}, {k, k}, {1, 1}, {p, p},
                    {s, s});
}

at::Tensor kernel_backward(const Geometry& g, const at::Tensor& gradient,
                           const at::Tensor& weight) {
  // Of the input only the sizes count.
  const at::Tensor input = at::empty(g.input, gradient.options());
  return std::get<0>(at::convolution_backward(
      gradient, input, weight, /*bias_sizes=*/at::OptionalIntArrayRef(),
      {g.stride, g.stride}, {g.padding, g.padding}, {1, 1},
      /*transposed=*/false, {0, 0}, /*groups=*/1,
      std::array<bool, 3>{true, false, false}));
}

class FrozenConvNode : public torch::autograd::Node {
 public:
  FrozenConvNode(Geometry geometry, const at::Tensor& weight)
      : geometry_(std::move(geometry)), weight_(weight, /*is_output=*/false) {}

  variable_list apply(variable_list&& gradients) override {
    if (!gradients[0].defined()) return {at::Tensor()};
    const at::Tensor weight = weight_.unpack();
    return {as_product(geometry_, weight)
                ? product_backward(geometry_, gradients[0], weight)
                : kernel_backward(geometry_, gradients[0], weight)};
  }

  void release_variables() override { weight_.reset_data(); }

  std::string name() const override { return "sono::FrozenConvNode"; }

 private:
  Geometry geometry_;
  SavedVariable weight_;
};

}  // namespace

at::Tensor frozen_conv2d(const at::Tensor& x, const at::Tensor& weight,
                         const at::Tensor& bias, std::int64_t stride,
                         std::int64_t padding) {
  const Geometry geometry{x.sizes().vec(), weight.size(2), stride, padding};
  const bool wants_graph = at::GradMode::is_enabled() && x.requires_grad();
  at::Tensor y;
  {
    const at::NoGradGuard no_grad;
    y = as_product(geometry, weight)
            ? product_forward(geometry, x, weight, bias)
            : at::conv2d(x, weight, bias, stride, padding);
  }
  if (!wants_graph) return y;
  const std::shared_ptr<torch::autograd::Node> node(
      new FrozenConvNode(geometry, weight), torch::autograd::deleteNode);
  node->set_next_edges(torch::autograd::collect_next_edges(x));
  torch::autograd::set_history(y, node);
  return y;
}

}  // namespace sono
