#pragma once
// What SAM wants of the network that looks at the image.

#include <cstdint>

#include "models/nn/module.h"

namespace sono {

class SamImageEncoder : public Module {
 public:
  // Prepares what follows from the weights alone; call after every load_state.
  virtual void fold() {}
  // Whether gradients can reach the parameters.
  virtual bool is_trainable() const = 0;
  // fp32 [B, 3, S, S] -> fp32 [B, C, grid, grid].
  virtual at::Tensor operator()(const at::Tensor& images) const = 0;
};

}  // namespace sono
