#pragma once
// What is trained: a model, its data and its loss, as the loop sees them.

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "dist/layout.h"
#include "models/nn/module.h"

namespace sono {

class Task {
 public:
  virtual ~Task() = default;

  // The trainable parameters in registration order: fp32 leaves that require
  // grad, on one device. The loop replaces their storage, never the tensors.
  virtual NamedTensors parameters() = 0;

  // What the learning rate of each parameter is multiplied with, in their
  // order; none: 1 for all.
  virtual std::vector<double> rate_factors() { return {}; }

  // The blocks of the network that may be recomputed in backward, and whose
  // parameters may come and go (models/nn/recompute.h); all of their parameters
  // are among the above.
  virtual std::vector<const Module*> blocks() { return {}; }

  // The loss, with its graph, of the samples at positions [begin, end) of the
  // global batch of `step` (0 is the first): a scalar, summed over these
  // samples and divided by the size of the whole global batch. begin < end.
  // A pure function of the parameters, the data, step, begin and end.
  virtual at::Tensor loss(std::int64_t step, std::int64_t begin,
                          std::int64_t end) = 0;

  // Called on all ranks after each step's update, with the number of steps
  // done; for what is looked at while training. Must change nothing.
  virtual void after_step(std::int64_t /*steps_done*/) {}
};

}  // namespace sono
