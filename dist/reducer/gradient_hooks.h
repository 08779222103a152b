#pragma once
// Word from the autograd engine that a parameter's gradient has arrived.

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "dist/layout.h"

namespace sono {

class GradientHooks {
 public:
  // From now on, `ready(i)` is called on the thread that runs backward, once a
  // backward pass, just after the gradient of parameters[i] was added to its
  // .grad. It must not throw.
  GradientHooks(const NamedTensors& parameters,
                std::function<void(std::size_t)> ready);
  ~GradientHooks();
  GradientHooks(const GradientHooks&) = delete;
  GradientHooks& operator=(const GradientHooks&) = delete;

 private:
  struct Hook;
  std::vector<std::unique_ptr<Hook>> hooks_;
};

}  // namespace sono
