#pragma once
// What both ways of reducing share: word of arriving gradients, the thread that
// communicates, and the end of a step.

#include <functional>
#include <memory>
#include <vector>

#include "dist/reducer/bucket_tracker.h"
#include "dist/reducer/comm_queue.h"
#include "dist/reducer/gradient_hooks.h"
#include "dist/reducer/gradient_reducer.h"
#include "dist/reducer/lane_split.h"

namespace sono {

class ReducerBase : public GradientReducer {
 public:
  std::vector<LaneSamples> pieces(std::int64_t batch_size) const override;
  void end_piece(const std::vector<double>& scalars) override;
  StepSums finish(const RankReport& report) override;

 protected:
  ReducerBase(CommQueue& queue, Arena& arena, const ReducerOptions& options,
              bool strided);

  // Entry `i` of the layout has its gradient; on backward's thread.
  virtual void on_gradient(std::size_t i) = 0;
  // A bucket is complete; on backward's thread.
  virtual void on_bucket(std::size_t b) = 0;
  // After the last bucket of a piece.
  virtual void on_piece_end() {}
  // After the last communication of a step.
  virtual void on_step_end() = 0;

  // Before what jobs refer to goes: called first by every destructor.
  void stop() { queue_.cancel(); }
  // Buckets that backward has not released.
  void release_rest();
  // Of this piece.
  int piece() const { return piece_; }
  int num_pieces() const { return num_pieces_; }
  bool exact() const { return options_.exact; }

  CommQueue& queue_;
  Communicator& comm_;
  Arena& arena_;
  const ReducerOptions options_;
  const LaneSplit split_;
  BucketTracker tracker_;

 private:
  // Calls `work`; keeps its error for the end of the piece, since the autograd
  // engine calls from inside backward.
  void guarded(const std::function<void()>& work);
  void rethrow();

  const std::vector<int> lanes_;  // of this rank
  const int num_pieces_;
  int piece_ = 0;
  std::vector<double> lane_scalars_;
  std::exception_ptr error_;
  GradientHooks hooks_;  // last: calls back from its making on
};

// A range of a bucket as seen from a flat tensor that starts at `origin`.
at::Tensor slice(const at::Tensor& flat, Range range, std::int64_t origin = 0);

}  // namespace sono
