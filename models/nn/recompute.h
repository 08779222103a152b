#pragma once
// Blocks that run again in backward instead of keeping what they computed: less
// memory for more time, and the same bits. And word of when a block's
// parameters are in use, so that they need not be there otherwise.
//
// A block's inputs enter it through one alias each, recomputed or not, so that
// the gradient of an input that the block uses twice is summed inside the block
// before it meets other uses: both ways add in the same order.

#include <ATen/ATen.h>

#include <functional>
#include <vector>

#include "models/nn/module.h"

namespace sono {

// Told by the thread that runs the block, around each run of it: once in
// forward and, when it is recomputed, once in backward.
class BlockObserver {
 public:
  virtual ~BlockObserver() = default;
  virtual void before(const Module& block) = 0;
  virtual void after(const Module& block) = 0;
};

// While one of these lives, blocks that this thread runs are recomputed.
class RecomputeScope {
 public:
  // `observer` may be null.
  explicit RecomputeScope(BlockObserver* observer);
  ~RecomputeScope();
  RecomputeScope(const RecomputeScope&) = delete;
  RecomputeScope& operator=(const RecomputeScope&) = delete;

  // The innermost one of this thread; null outside of any.
  static const RecomputeScope* current();
  BlockObserver* observer() const { return observer_; }

 private:
  const RecomputeScope* outer_;
  BlockObserver* observer_;
};

using BlockForward =
    std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

// Runs a block: `forward` of `inputs`, a pure function of them and of the
// block's parameters. `block` must outlive the backward pass.
at::Tensor run_block(const Module& block, const std::vector<at::Tensor>& inputs,
                     BlockForward forward);

}  // namespace sono
