#include "dist/reducer/lane_by_lane_reducer.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "dist/recorder/flight_recorder.h"
#include "dist/reducer/lane_tree.h"
#include "dist/reducer/reducer_base.h"

namespace sono {
namespace {

class LaneByLaneReducer : public ReducerBase {
 public:
  LaneByLaneReducer(CommQueue& queue, Arena& arena,
                    const ReducerOptions& options)
      : ReducerBase(queue, arena, options, /*strided=*/true),
        staging_(arena.plan().buckets().size()) {
    for (const auto& [name, tensor] : arena.parameters()) {
      tensor.mutable_grad() = at::Tensor();
    }
    on_step_end();
  }

  ~LaneByLaneReducer() override { stop(); }

  void begin_piece() override { tracker_.start(/*idle=*/false); }

 protected:
  // Moves the gradient into the buckets it belongs to.
  void on_gradient(std::size_t i) override {
    const at::Tensor& parameter = arena_.parameters()[i].second;
    const at::Tensor flat = parameter.grad().reshape({-1});
    const Range entry = arena_.layout().range_of(i);
    const auto& buckets = arena_.plan().buckets();
    for (std::size_t b = 0; b < buckets.size(); ++b) {
      const Range part = {std::max(entry.begin, buckets[b].range.begin),
                          std::min(entry.end, buckets[b].range.end)};
      if (part.size() <= 0) continue;
      slice(staged(b), part, buckets[b].range.begin)
          .copy_(slice(flat, part, entry.begin));
    }
    parameter.mutable_grad() = at::Tensor();
  }

  void on_bucket(std::size_t b) override {
    queue_.post([this, b, round = piece(), bucket = take_staged(b, piece())] {
      const BucketMark mark(comm_.recorder(), b);
      reduce_bucket(b, round, bucket);
    });
  }

  void on_step_end() override {
    trees_.assign(staging_.size(), LaneTree<at::Tensor>(split_.num_lanes()));
  }

 private:
  at::Tensor& staged(std::size_t b) {
    at::Tensor& bucket = staging_[b];
    if (!bucket.defined()) {
      bucket = at::zeros({arena_.plan().buckets()[b].range.size()},
                         arena_.params.data.options());
    }
    return bucket;
  }

  // The bucket as this rank sends it; undefined where it has no lane.
  at::Tensor take_staged(std::size_t b, int round) {
    if (lane_of(comm_.rank(), round) >= split_.num_lanes()) return {};
    return std::exchange(staged(b), at::Tensor());
  }

  int lane_of(int rank, int round) const {
    return round * comm_.world_size() + rank;
  }

  void reduce_bucket(std::size_t b, int round, const at::Tensor& bucket) {
    at::NoGradGuard no_grad;
    const int n = comm_.world_size();
    const Range chunk = arena_.plan().chunk(b, comm_.rank());
    const std::int64_t origin = arena_.plan().buckets()[b].range.begin;
    const auto wire_options = arena_.grad.data.options().dtype(
        options_.bf16_wire ? at::kBFloat16 : at::kFloat);
    std::vector<at::Tensor> send(n), receive(n);
    for (int r = 0; r < n; ++r) {
      if (bucket.defined()) {
        const Range part = arena_.plan().chunk(b, r);
        send[r] = slice(bucket, part, origin).to(wire_options);
      }
      if (lane_of(r, round) >= split_.num_lanes()) continue;
      receive[r] = at::empty({chunk.size()}, wire_options);
    }
    comm_.exchange(send, receive, "gradient scatter");
    const at::Tensor target = arena_.grad.view(chunk);
    exact() ? add_as_tree(b, round, receive, target)
            : add_by_rank(round, receive, target);
  }

  void add_as_tree(std::size_t b, int round,
                   const std::vector<at::Tensor>& pieces,
                   const at::Tensor& target) {
    for (int r = 0; r < comm_.world_size(); ++r) {
      if (!pieces[r].defined()) continue;
      trees_[b].push(
          {0, lane_of(r, round), pieces[r]},
          [](at::Tensor& left, at::Tensor& right) { left.add_(right); });
    }
    if (round + 1 < split_.rounds()) return;
    at::Tensor(target).copy_(trees_[b].take().front().sum);
  }

  void add_by_rank(int round, const std::vector<at::Tensor>& pieces,
                   at::Tensor target) const {
    if (round == 0) target.zero_();
    for (const at::Tensor& piece : pieces) {
      if (piece.defined()) target.add_(piece);
    }
  }

  std::vector<at::Tensor> staging_;          // by bucket; undefined: empty
  std::vector<LaneTree<at::Tensor>> trees_;  // of what is owned, by bucket
};

}  // namespace

std::unique_ptr<GradientReducer> make_lane_by_lane_reducer(
    CommQueue& queue, Arena& arena, const ReducerOptions& options) {
  return std::make_unique<LaneByLaneReducer>(queue, arena, options);
}

}  // namespace sono
