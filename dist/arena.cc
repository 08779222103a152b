#include "dist/arena.h"

#include "core/check.h"

namespace sono {
namespace {

void check_parameter(const std::string& name, const at::Tensor& tensor,
                     const at::Device& device) {
  SONO_CHECK(tensor.defined() && tensor.is_leaf() && tensor.requires_grad(),
             "parameter " << name << " is not a leaf that requires grad");
  SONO_CHECK(tensor.scalar_type() == at::kFloat,
             "parameter " << name << " is not fp32");
  SONO_CHECK(tensor.device() == device,
             "parameter " << name << " is on another device");
}

}  // namespace

Arena::Arena(NamedTensors parameters, bool with_ema)
    : parameters_(std::move(parameters)), layout_(parameters_) {
  at::NoGradGuard no_grad;
  const at::Device device = parameters_.front().second.device();
  for (const auto& [name, tensor] : parameters_) {
    check_parameter(name, tensor, device);
  }
  params = at::zeros({layout_.size()},
                     at::TensorOptions().dtype(at::kFloat).device(device));
  grad = at::zeros_like(params);
  exp_avg = at::zeros_like(params);
  exp_avg_sq = at::zeros_like(params);
  const NamedTensors views = layout_.views(params);
  for (std::size_t i = 0; i < views.size(); ++i) {
    views[i].second.copy_(parameters_[i].second);
    parameters_[i].second.set_data(views[i].second);
  }
  if (with_ema) ema = params.clone();
}

std::vector<at::Tensor> Arena::take_gradients() {
  std::vector<at::Tensor> gradients;
  for (auto& [name, tensor] : parameters_) {
    gradients.push_back(tensor.grad());
    tensor.mutable_grad() = at::Tensor();
  }
  return gradients;
}

}  // namespace sono
