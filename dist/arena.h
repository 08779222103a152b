#pragma once
// The trainable state of a model as flat fp32 buffers of one Layout.
//
// The arena takes over the parameters' storage: each keeps its identity, shape
// and place in the autograd graph, but its data become a view into `params`.
// So one call updates all parameters, and a checkpoint is a range of bytes.

#include "dist/layout.h"

namespace sono {

class Arena {
 public:
  // `parameters`: fp32 leaves with requires_grad, all on one device, in
  // registration order. Error naming the parameter otherwise.
  Arena(NamedTensors parameters, bool with_ema);

  const Layout& layout() const { return layout_; }
  const NamedTensors& parameters() const { return parameters_; }

  // The gradients left by backward, in layout order; undefined where none
  // arrived. Takes them: the parameters' .grad is undefined afterwards.
  std::vector<at::Tensor> take_gradients();

  // 1-D, layout().size() elements each; gaps are zero.
  at::Tensor params;
  at::Tensor grad;
  at::Tensor exp_avg;
  at::Tensor exp_avg_sq;
  at::Tensor ema;  // undefined without EMA

 private:
  NamedTensors parameters_;
  Layout layout_;
};

}  // namespace sono
