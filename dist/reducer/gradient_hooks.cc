#include "dist/reducer/gradient_hooks.h"

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <utility>

namespace sono {
namespace {

using torch::autograd::variable_list;

class ReadyHook : public torch::autograd::FunctionPostHook {
 public:
  ReadyHook(std::function<void(std::size_t)> ready, std::size_t index)
      : ready_(std::move(ready)), index_(index) {}

  variable_list operator()(const variable_list& outputs,
                           const variable_list& /*inputs*/) override {
    ready_(index_);
    return outputs;
  }

 private:
  std::function<void(std::size_t)> ready_;
  std::size_t index_;
};

}  // namespace

// The accumulator is held, since a parameter alone keeps only a weak reference
// to it.
struct GradientHooks::Hook {
  std::shared_ptr<torch::autograd::Node> accumulator;
  std::uintptr_t key = 0;

  ~Hook() { accumulator->del_post_hook(key); }
};

GradientHooks::GradientHooks(const NamedTensors& parameters,
                             std::function<void(std::size_t)> ready) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    auto hook = std::make_unique<Hook>();
    hook->accumulator =
        torch::autograd::impl::grad_accumulator(parameters[i].second);
    hook->key =
        hook->accumulator->add_post_hook(std::make_unique<ReadyHook>(ready, i));
    hooks_.push_back(std::move(hook));
  }
}

GradientHooks::~GradientHooks() = default;

}  // namespace sono
