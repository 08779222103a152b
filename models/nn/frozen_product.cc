#include "models/nn/frozen_product.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <memory>
#include <optional>

namespace sono {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

constexpr std::int64_t kLeastWeights = 1 << 16;
constexpr std::int64_t kLeastRows = 16;

// What LibTorch's compiler fuses linear layers with; not among its functions.
using Pointwise = at::Tensor(const at::Tensor&, const at::Tensor&,
                             const std::optional<at::Tensor>&, c10::string_view,
                             c10::List<std::optional<at::Scalar>>,
                             std::optional<c10::string_view>);

// Nothing where LibTorch came without oneDNN.
const std::optional<c10::TypedOperatorHandle<Pointwise>>& pointwise() {
  static const auto found =
      []() -> std::optional<c10::TypedOperatorHandle<Pointwise>> {
    const auto handle = c10::Dispatcher::singleton().findSchema(
        {"mkldnn::_linear_pointwise", ""});
    if (!handle) return std::nullopt;
    return handle->typed<Pointwise>();
  }();
  return found;
}

class FrozenLinearNode : public torch::autograd::Node {
 public:
  explicit FrozenLinearNode(const at::Tensor& weight)
      : weight_(weight, /*is_output=*/false) {}

  variable_list apply(variable_list&& gradients) override {
    if (!gradients[0].defined()) return {at::Tensor()};
    const at::NoGradGuard no_grad;
    return {frozen_product(gradients[0], weight_.unpack().t())};
  }
  void release_variables() override { weight_.reset_data(); }
  std::string name() const override { return "sono::FrozenLinearNode"; }

 private:
  SavedVariable weight_;
};

}  // namespace

bool product_pays(const at::Tensor& weight, std::int64_t rows) {
  return weight.device().is_cpu() && weight.scalar_type() == at::kFloat &&
         weight.numel() >= kLeastWeights && rows >= kLeastRows &&
         pointwise().has_value();
}

at::Tensor frozen_product(const at::Tensor& x, const at::Tensor& weight,
                          const at::Tensor& bias) {
  const std::optional<at::Tensor> addend =
      bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt;
  return pointwise()->call(x.contiguous(), weight, addend, "none",
                           c10::List<std::optional<at::Scalar>>(), "");
}

at::Tensor frozen_linear(const at::Tensor& x, const at::Tensor& weight,
                         const at::Tensor& bias) {
  const bool wants_graph = at::GradMode::is_enabled() && x.requires_grad();
  at::Tensor y;
  {
    const at::NoGradGuard no_grad;
    y = frozen_product(x, weight, bias);
  }
  if (!wants_graph) return y;
  const std::shared_ptr<torch::autograd::Node> node(
      new FrozenLinearNode(weight), torch::autograd::deleteNode);
  node->set_next_edges(torch::autograd::collect_next_edges(x));
  torch::autograd::set_history(y, node);
  return y;
}

}  // namespace sono
