#pragma once
// Data-parallel gradients: the sum over the global batch, on every rank or,
// sharded, on the rank that owns each part.
//
// The global batch of B samples is cut into V lanes; lane k holds samples
// floor(kB/V) .. floor((k+1)B/V) - 1. A rank runs some of the lanes, one
// backward pass each. `exact` adds lane gradients as one fixed binary tree
// (dist/reducer/lane_tree.h), so the sum has the same bits for any number of
// ranks; `fast` lets each rank accumulate and adds rank by rank.
//
// Gradients land in flat buffers, of which .grad is a view: nothing is copied
// in or out. The buffer is cut into buckets (dist/bucket_plan.h). When the last
// backward pass completes a bucket, each rank sends its chunks to their owners,
// who finish the sum, while backward goes on; then, without sharding, the sums
// are gathered.
//
// Bytes sent a step: 2(N-1)/N of the gradient, as a ring; for N that is not a
// power of two `exact` sends up to log2(V) subtrees. With ZeRO stage 2 each
// lane's gradient goes to the owners at once and no rank ever holds a whole
// one: V/N times the bytes for 1/N of the memory.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dist/arena.h"
#include "dist/communicator.h"
#include "dist/reducer/comm_queue.h"

namespace sono {

struct ReducerOptions {
  bool exact = true;
  int lanes = 8;
  // Numbers summed over lanes with the gradient, such as the loss.
  int num_scalars = 1;
  // Send gradients as bf16; `fast` only.
  bool bf16_wire = false;
};

// What a rank tells the others at the end of each step.
struct RankReport {
  static constexpr std::size_t kNumTimes = 4;
  bool vote = false;
  std::array<double, kNumTimes> times = {};  // the caller's, of the last step
};

struct StepSums {
  std::vector<double> scalars;    // summed over lanes, along the tree
  std::vector<RankReport> ranks;  // by rank

  bool any_vote() const;
};

// A piece of the batch that this rank runs: samples [begin, end), maybe none.
using LaneSamples = Range;

class GradientReducer {
 public:
  virtual ~GradientReducer() = default;

  // The pieces of a batch of `batch_size` that this rank runs, in order.
  virtual std::vector<LaneSamples> pieces(std::int64_t batch_size) const = 0;

  // Around each piece: begin, then forward and backward (left out for a piece
  // without samples), then end with num_scalars values.
  virtual void begin_piece() = 0;
  virtual void end_piece(const std::vector<double>& scalars) = 0;

  // Ends the step: the sum is in arena.grad, whole without sharding, otherwise
  // over arena.owned() alone. Error
  // naming the first parameter for which no lane had a gradient. All ranks must
  // call.
  virtual StepSums finish(const RankReport& report) = 0;

  // Bytes of whole gradients kept beside arena.grad.
  virtual std::int64_t lane_buffer_bytes() const { return 0; }
};

// `queue` and `arena` must outlive the reducer. Between begin_piece() and
// finish() communication goes through `queue` alone.
std::unique_ptr<GradientReducer> make_gradient_reducer(
    CommQueue& queue, Arena& arena, const ReducerOptions& options);

}  // namespace sono
