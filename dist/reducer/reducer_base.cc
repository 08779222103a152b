#include "dist/reducer/reducer_base.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "dist/reducer/step_status.h"

namespace sono {
namespace {

// `fast` has no tree to keep, so every rank may have a lane.
int num_lanes(const Communicator& comm, const ReducerOptions& options) {
  return options.exact ? options.lanes
                       : std::max(options.lanes, comm.world_size());
}

}  // namespace

at::Tensor slice(const at::Tensor& flat, Range range, std::int64_t origin) {
  return flat.narrow(0, range.begin - origin, range.size());
}

ReducerBase::ReducerBase(CommQueue& queue, Arena& arena,
                         const ReducerOptions& options, bool strided)
    : queue_(queue),
      comm_(queue.comm()),
      arena_(arena),
      options_(options),
      split_(num_lanes(comm_, options), comm_.world_size(), strided),
      tracker_(arena.plan(), arena.layout().entries().size(),
               [this](std::size_t b) { on_bucket(b); }),
      lanes_(split_.lanes_of(comm_.rank())),
      num_pieces_(strided ? split_.rounds() : static_cast<int>(lanes_.size())),
      hooks_(arena.parameters(), [this](std::size_t i) {
        guarded([&] {
          on_gradient(i);
          tracker_.arrived(i);
        });
      }) {
  SONO_CHECK(options.lanes >= 1, "a batch needs at least one lane");
  SONO_CHECK(!(options.exact && options.bf16_wire),
             "exact sums are not sent as bf16");
}

std::vector<LaneSamples> ReducerBase::pieces(std::int64_t batch_size) const {
  std::vector<LaneSamples> pieces;
  for (const int lane : lanes_) {
    pieces.push_back({split_point(batch_size, split_.num_lanes(), lane),
                      split_point(batch_size, split_.num_lanes(), lane + 1)});
  }
  pieces.resize(num_pieces_);  // rounds in which only other ranks have a lane
  return pieces;
}

void ReducerBase::guarded(const std::function<void()>& work) {
  if (error_) return;
  try {
    at::NoGradGuard no_grad;
    work();
  } catch (...) {
    error_ = std::current_exception();
  }
}

void ReducerBase::rethrow() {
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ReducerBase::release_rest() {
  guarded([&] { tracker_.release_rest(); });
  rethrow();
}

void ReducerBase::end_piece(const std::vector<double>& scalars) {
  rethrow();
  SONO_CHECK_EQ(static_cast<int>(scalars.size()), options_.num_scalars);
  SONO_CHECK(piece_ < num_pieces_, "more pieces than this rank has");
  release_rest();
  at::NoGradGuard no_grad;
  on_piece_end();
  if (piece_++ < static_cast<int>(lanes_.size())) {
    lane_scalars_.insert(lane_scalars_.end(), scalars.begin(), scalars.end());
  }
}

StepSums ReducerBase::finish(const RankReport& report) {
  SONO_CHECK_EQ(piece_, num_pieces_);
  at::NoGradGuard no_grad;
  if (num_pieces_ == 0) {
    tracker_.start(/*idle=*/false);
    release_rest();
  }
  StepSums sums;
  const StepStatus status{report, std::exchange(lane_scalars_, {}),
                          tracker_.seen()};
  queue_.post([&] {
    sums = exchange_status(comm_, arena_.layout(), split_, options_.num_scalars,
                           status);
  });
  queue_.wait();
  tracker_.clear_seen();
  piece_ = 0;
  on_step_end();
  return sums;
}

}  // namespace sono
