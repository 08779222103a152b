#pragma once
// The trainable state of a model as flat fp32 buffers of one Layout.
//
// The arena takes over the parameters' storage: each keeps its identity, shape
// and place in the autograd graph, but its data become a view into `params`.
// So one call updates all parameters, and a checkpoint is a range of bytes.
//
// Sharding (ZeRO, Rajbhandari et al. 2020) is a matter of which ranges a rank
// holds: stage 1 keeps the moments and the average for the ranges the rank owns
// alone, stage 2 the gradient too, stage 3 the parameters as well (the model's
// own are then the business of dist/parameter_units.h). No value depends on it.

#include "dist/bucket_plan.h"
#include "dist/flat_buffer.h"
#include "dist/layout.h"

namespace sono {

struct ArenaOptions {
  bool with_ema = false;
  bool with_second_moment = true;  // SGD has none
  int zero_stage = 0;              // 0 to 3
  int rank = 0;
  int world_size = 1;
  BucketOptions buckets = {};
};

class Arena {
 public:
  // `parameters`: fp32 leaves with requires_grad, all on one device, in
  // registration order. Error naming the parameter otherwise.
  Arena(NamedTensors parameters, const ArenaOptions& options);

  const Layout& layout() const { return layout_; }
  const BucketPlan& plan() const { return plan_; }
  const NamedTensors& parameters() const { return parameters_; }
  int zero_stage() const { return options_.zero_stage; }
  // What this rank owns, ascending.
  const std::vector<Range>& owned() const { return owned_; }

  // Gaps between tensors are zero.
  FlatBuffer params;      // whole; from stage 3 what is owned
  FlatBuffer grad;        // whole; from stage 2 what is owned
  FlatBuffer exp_avg;     // whole; from stage 1 what is owned
  FlatBuffer exp_avg_sq;  // likewise; undefined for SGD
  FlatBuffer ema;         // likewise; undefined without EMA

 private:
  void take_over_parameters();

  ArenaOptions options_;
  NamedTensors parameters_;
  Layout layout_;
  BucketPlan plan_;
  std::vector<Range> owned_;
};

}  // namespace sono
