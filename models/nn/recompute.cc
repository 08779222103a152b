#include "models/nn/recompute.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace sono {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

thread_local const RecomputeScope* current_scope = nullptr;

// Around one run of a block.
class InUse {
 public:
  InUse(BlockObserver* observer, const Module& block)
      : observer_(observer), block_(block) {
    if (observer_ != nullptr) observer_->before(block_);
  }
  ~InUse() {
    if (observer_ != nullptr) observer_->after(block_);
  }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;

 private:
  BlockObserver* observer_;
  const Module& block_;
};

variable_list parameters_of(const Module& block) {
  variable_list parameters;
  for (const auto& [name, tensor] : block.named_parameters()) {
    if (tensor.requires_grad()) parameters.push_back(tensor);
  }
  for (const at::Tensor& tensor : block.borrowed_parameters()) {
    if (tensor.requires_grad()) parameters.push_back(tensor);
  }
  return parameters;
}

// The block in the autograd graph: takes the output's gradient, returns those
// of the inputs, then of the parameters.
class RecomputeNode : public torch::autograd::Node {
 public:
  RecomputeNode(const Module& block, const variable_list& inputs,
                BlockForward forward, BlockObserver* observer)
      : block_(block), forward_(std::move(forward)), observer_(observer) {
    for (const at::Tensor& input : inputs) {
      inputs_.emplace_back(input, /*is_output=*/false);
    }
  }

  variable_list apply(variable_list&& gradients) override {
    const InUse in_use(observer_, block_);
    const at::AutoGradMode with_grad(true);
    variable_list inputs, wanted;
    for (SavedVariable& saved : inputs_) {
      const at::Tensor input = saved.unpack(shared_from_this());
      inputs.push_back(input.detach().requires_grad_(input.requires_grad()));
      if (input.requires_grad()) wanted.push_back(inputs.back());
    }
    const std::size_t num_wanted_inputs = wanted.size();
    for (const at::Tensor& tensor : parameters_of(block_)) {
      wanted.push_back(tensor);
    }
    const at::Tensor output = forward_(inputs);
    const variable_list found =
        torch::autograd::grad({output}, wanted, {gradients[0]}, std::nullopt,
                              /*create_graph=*/false, /*allow_unused=*/true);
    return in_edge_order(inputs, found, num_wanted_inputs);
  }

  void release_variables() override {
    for (SavedVariable& saved : inputs_) saved.reset_data();
  }

  std::string name() const override { return "sono::RecomputeNode"; }

 private:
  // Undefined for inputs that need no gradient.
  static variable_list in_edge_order(const variable_list& inputs,
                                     const variable_list& found,
                                     std::size_t num_wanted_inputs) {
    variable_list all;
    std::size_t next = 0;
    for (const at::Tensor& input : inputs) {
      all.push_back(input.requires_grad() ? found[next++] : at::Tensor());
    }
    all.insert(all.end(),
               found.begin() + static_cast<std::ptrdiff_t>(num_wanted_inputs),
               found.end());
    return all;
  }

  const Module& block_;
  BlockForward forward_;
  BlockObserver* observer_;
  std::vector<SavedVariable> inputs_;
};

bool needs_graph(const variable_list& inputs, const variable_list& parameters) {
  if (!at::GradMode::is_enabled()) return false;
  const auto wants = [](const at::Tensor& t) { return t.requires_grad(); };
  return !parameters.empty() ||
         std::any_of(inputs.begin(), inputs.end(), wants);
}

}  // namespace

RecomputeScope::RecomputeScope(BlockObserver* observer)
    : outer_(current_scope), observer_(observer) {
  current_scope = this;
}

RecomputeScope::~RecomputeScope() { current_scope = outer_; }

const RecomputeScope* RecomputeScope::current() { return current_scope; }

at::Tensor run_block(const Module& block, const std::vector<at::Tensor>& inputs,
                     BlockForward forward) {
  const RecomputeScope* const scope = RecomputeScope::current();
  if (scope == nullptr) {
    variable_list aliases;
    for (const at::Tensor& input : inputs) {
      aliases.push_back(input.requires_grad() ? at::alias(input) : input);
    }
    return forward(aliases);
  }
  at::Tensor output;
  {
    const InUse in_use(scope->observer(), block);
    const at::NoGradGuard no_grad;
    output = forward(inputs);
  }
  const variable_list parameters = parameters_of(block);
  if (!needs_graph(inputs, parameters)) return output;
  const std::shared_ptr<torch::autograd::Node> node(
      new RecomputeNode(block, inputs, std::move(forward), scope->observer()),
      torch::autograd::deleteNode);
  node->set_next_edges(torch::autograd::collect_next_edges(inputs, parameters));
  torch::autograd::set_history(output, node);
  return output;
}

}  // namespace sono
