#include "models/unet/geglu.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <memory>

namespace sono {
namespace {

at::Tensor forward(const at::Tensor& x) {
  const auto halves = x.chunk(2, -1);
  return at::gelu(halves[1]).mul_(halves[0]);
}

class GegluNode : public torch::autograd::Node {
 public:
  explicit GegluNode(const at::Tensor& x) : x_(x, /*is_output=*/false) {}

  torch::autograd::variable_list apply(
      torch::autograd::variable_list&& gradients) override {
    const at::NoGradGuard no_grad;
    const at::Tensor x = x_.unpack(shared_from_this());
    const auto halves = x.chunk(2, -1);
    at::Tensor gradient = at::empty_like(x);
    auto parts = gradient.chunk(2, -1);
    at::mul_out(parts[0], gradients[0], at::gelu(halves[1]));
    parts[1].copy_(at::gelu_backward(gradients[0] * halves[0], halves[1]));
    return {gradient};
  }
  void release_variables() override { x_.reset_data(); }
  std::string name() const override { return "sono::GegluNode"; }

 private:
  torch::autograd::SavedVariable x_;
};

}  // namespace

at::Tensor geglu(const at::Tensor& x) {
  at::Tensor y;
  {
    const at::NoGradGuard no_grad;
    y = forward(x);
  }
  if (!at::GradMode::is_enabled() || !x.requires_grad()) return y;
  const std::shared_ptr<torch::autograd::Node> node(
      new GegluNode(x), torch::autograd::deleteNode);
  node->set_next_edges(torch::autograd::collect_next_edges(x));
  torch::autograd::set_history(y, node);
  return y;
}

}  // namespace sono
