#include "dist/reducer/subtree_reducer.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "dist/recorder/flight_recorder.h"
#include "dist/reducer/lane_tree.h"
#include "dist/reducer/reducer_base.h"

namespace sono {
namespace {

using Tree = LaneTree<int>;  // sums are numbers of buffers

// A gradient arena: a flat buffer and what .grad of each parameter points to.
struct GradientBuffer {
  at::Tensor flat;
  NamedTensors views;
};

// The nodes that rank r ends with after its own lanes.
std::vector<Tree::Node> subtrees_of(const LaneSplit& split, int r) {
  Tree tree(split.num_lanes());
  for (const int lane : split.lanes_of(r)) {
    tree.push({0, lane, 0}, [](int, int) {});
  }
  return tree.take();
}

class SubtreeReducer : public ReducerBase {
 public:
  SubtreeReducer(CommQueue& queue, Arena& arena, const ReducerOptions& options)
      : ReducerBase(queue, arena, options, /*strided=*/false),
        tree_(split_.num_lanes()) {
    add_buffer(arena.grad.data);
    point_gradients(0);
    for (int r = 0; r < comm_.world_size(); ++r) {
      structure_.push_back(nodes_of(r));
      num_slots_ = std::max(num_slots_, structure_.back().size());
    }
    reserve_scratch();
  }

  ~SubtreeReducer() override {
    stop();
    for (const auto& [name, tensor] : arena_.parameters()) {
      tensor.mutable_grad() = at::Tensor();
    }
  }

  std::int64_t lane_buffer_bytes() const override {
    return static_cast<std::int64_t>(buffers_[0].flat.nbytes()) *
           (std::ssize(buffers_) - 1);
  }

  void begin_piece() override {
    at::NoGradGuard no_grad;
    const int buffer = exact() ? begin_lane() : begin_fold();
    point_gradients(buffer);
    const bool last = piece() + 1 == num_pieces();
    tracker_.start(/*idle=*/!last);
  }

 protected:
  void on_gradient(std::size_t /*i*/) override {}

  void on_bucket(std::size_t b) override {
    if (piece() + 1 < num_pieces()) return;
    queue_.post([this, b] { reduce_bucket(b); });
  }

  // Merges of the last piece are done bucket by bucket, those of the others
  // here.
  void on_piece_end() override {
    if (piece() + 1 == num_pieces()) return;
    for (const auto& [left, right] : merges_) {
      buffers_[left].flat.add_(buffers_[right].flat);
      free_.push_back(right);
    }
    merges_.clear();
  }

  void on_step_end() override {
    merges_.clear();
    tree_.take();
    free_.clear();
    for (int i = static_cast<int>(buffers_.size()); i-- > 0;) {
      free_.push_back(i);
    }
  }

 private:
  void add_buffer(const at::Tensor& flat) {
    free_.push_back(static_cast<int>(buffers_.size()));
    buffers_.push_back({flat, arena_.layout().views(flat)});
  }

  // The leftmost node of a rank always lies in buffer 0, which is arena.grad.
  int take_zeroed() {
    if (free_.empty()) add_buffer(at::empty_like(buffers_[0].flat));
    const int buffer = free_.back();
    free_.pop_back();
    buffers_[buffer].flat.zero_();
    return buffer;
  }

  // A right sibling accumulates onto the left one, so it needs no buffer.
  int begin_lane() {
    Tree::Node node{0, split_.lanes_of(comm_.rank())[piece()], 0};
    node.sum =
        tree_.has_sibling(node) ? tree_.nodes().back().sum : take_zeroed();
    const int buffer = node.sum;
    tree_.push(node, [&](int left, int right) {
      if (left != right) merges_.emplace_back(left, right);
    });
    return buffer;
  }

  int begin_fold() { return piece() == 0 ? take_zeroed() : 0; }

  void point_gradients(int buffer) {
    if (buffer == pointed_) return;
    pointed_ = buffer;
    const auto& parameters = arena_.parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].second.mutable_grad() = buffers_[buffer].views[i].second;
    }
  }

  // The nodes that rank r ends with.
  std::vector<Tree::Node> nodes_of(int r) const {
    if (!exact()) return {{0, r, 0}};
    return subtrees_of(split_, r);
  }

  // Room for the chunks that other ranks send for one bucket.
  void reserve_scratch() {
    if (comm_.world_size() == 1) return;
    std::int64_t largest = 0;
    for (std::size_t b = 0; b < arena_.plan().buckets().size(); ++b) {
      largest = std::max(largest, arena_.plan().chunk(b, comm_.rank()).size());
    }
    std::int64_t pieces = 0;
    for (int r = 0; r < comm_.world_size(); ++r) {
      if (r != comm_.rank()) pieces += std::ssize(structure_[r]);
    }
    scratch_ = at::empty({pieces, largest}, arena_.grad.data.options());
  }

  // This rank's node `slot`, over `range`.
  at::Tensor own_piece(std::size_t slot, Range range) const {
    const int buffer = exact() ? tree_.nodes()[slot].sum : 0;
    return slice(buffers_[buffer].flat, range);
  }

  void reduce_bucket(std::size_t b) {
    at::NoGradGuard no_grad;
    const BucketMark mark(comm_.recorder(), b);
    const Range range = arena_.plan().buckets()[b].range;
    for (const auto& [left, right] : merges_) {
      slice(buffers_[left].flat, range)
          .add_(slice(buffers_[right].flat, range));
    }
    if (comm_.world_size() == 1) return;
    const Range chunk = arena_.plan().chunk(b, comm_.rank());
    const auto pieces = scatter(b, chunk);
    const at::Tensor target = arena_.grad.view(chunk);
    exact() ? add_as_tree(pieces, target) : add_by_rank(pieces, target);
    if (arena_.zero_stage() == 0) gather(b, target);
  }

  // The chunk of every node of every rank, [rank][slot]; own ones in place.
  std::vector<std::vector<at::Tensor>> scatter(std::size_t b, Range chunk) {
    const int n = comm_.world_size();
    std::vector<std::vector<at::Tensor>> pieces(n);
    std::int64_t next = 0;
    for (std::size_t slot = 0; slot < num_slots_; ++slot) {
      std::vector<at::Tensor> send(n), receive(n);
      for (int r = 0; r < n; ++r) {
        const bool here = r == comm_.rank();
        if (slot < structure_[comm_.rank()].size() && !here) {
          send[r] = wire(own_piece(slot, arena_.plan().chunk(b, r)));
        }
        if (slot >= structure_[r].size()) continue;
        at::Tensor piece = here ? own_piece(slot, chunk)
                                : scratch_[next++].narrow(0, 0, chunk.size());
        if (!here) receive[r] = wire_like(piece);
        pieces[r].push_back(here ? piece : receive[r]);
      }
      comm_.exchange(send, receive, "gradient scatter");
    }
    return pieces;
  }

  void add_as_tree(const std::vector<std::vector<at::Tensor>>& pieces,
                   const at::Tensor& target) const {
    LaneTree<at::Tensor> tree(split_.num_lanes());
    for (std::size_t r = 0; r < pieces.size(); ++r) {
      for (std::size_t slot = 0; slot < pieces[r].size(); ++slot) {
        const Tree::Node& node = structure_[r][slot];
        tree.push({node.level, node.index, pieces[r][slot]},
                  [&](at::Tensor& left, at::Tensor& right) {
                    add_pair(left, right, target);
                  });
      }
    }
    const at::Tensor root = tree.nodes().front().sum;
    if (root.data_ptr() != target.data_ptr()) at::Tensor(target).copy_(root);
  }

  // left += right, in `target`'s place where one of them lies there.
  static void add_pair(at::Tensor& left, at::Tensor& right,
                       const at::Tensor& target) {
    if (right.data_ptr() == target.data_ptr()) {
      at::add_out(right, left, right);
      left = right;
    } else {
      left.add_(right);
    }
  }

  void add_by_rank(const std::vector<std::vector<at::Tensor>>& pieces,
                   const at::Tensor& target) const {
    for (int r = 0; r < comm_.world_size(); ++r) {
      if (r != comm_.rank()) at::Tensor(target).add_(pieces[r].front());
    }
  }

  // Every owner's sum to everybody.
  void gather(std::size_t b, const at::Tensor& target) {
    const int n = comm_.world_size();
    std::vector<at::Tensor> send(n), receive(n);
    const at::Tensor sent = wire(target);
    if (options_.bf16_wire) at::Tensor(target).copy_(sent);
    for (int r = 0; r < n; ++r) {
      if (r == comm_.rank()) continue;
      send[r] = sent;
      receive[r] = wire_like(arena_.grad.view(arena_.plan().chunk(b, r)));
    }
    comm_.exchange(send, receive, "gradient gather");
    if (!options_.bf16_wire) return;
    for (int r = 0; r < n; ++r) {
      if (r == comm_.rank()) continue;
      arena_.grad.view(arena_.plan().chunk(b, r)).copy_(receive[r]);
    }
  }

  // As it travels; where it is received.
  at::Tensor wire(const at::Tensor& piece) const {
    return options_.bf16_wire ? piece.to(at::kBFloat16) : piece;
  }
  at::Tensor wire_like(const at::Tensor& piece) const {
    return options_.bf16_wire
               ? at::empty_like(piece, piece.options().dtype(at::kBFloat16))
               : piece;
  }

  std::vector<GradientBuffer> buffers_;
  std::vector<int> free_;  // the lowest number last
  int pointed_ = -1;       // the buffer that .grad points to
  Tree tree_;
  std::vector<std::pair<int, int>> merges_;         // (left, right), in order
  std::vector<std::vector<Tree::Node>> structure_;  // by rank
  std::size_t num_slots_ = 0;  // the most nodes that any rank ends with
  at::Tensor scratch_;
};

}  // namespace

int num_gradient_buffers(const ReducerOptions& options, int world_size,
                         int rank) {
  if (!options.exact) return 1;
  const LaneSplit split(options.lanes, world_size, /*strided=*/false);
  Tree tree(options.lanes);
  int in_use = 0;
  int most = 0;
  for (const int lane : split.lanes_of(rank)) {
    const Tree::Node node{0, lane, 0};
    const bool joins = tree.has_sibling(node);
    if (!joins) most = std::max(most, ++in_use);
    bool first = joins;  // the first merge of a lane that joined frees nothing
    tree.push(node, [&](int, int) {
      if (!first) --in_use;
      first = false;
    });
  }
  return most;
}

int num_subtrees(const ReducerOptions& options, int world_size) {
  if (!options.exact) return 1;
  const LaneSplit split(options.lanes, world_size, /*strided=*/false);
  std::size_t most = 0;
  for (int r = 0; r < world_size; ++r) {
    most = std::max(most, subtrees_of(split, r).size());
  }
  return static_cast<int>(most);
}

std::unique_ptr<GradientReducer> make_subtree_reducer(
    CommQueue& queue, Arena& arena, const ReducerOptions& options) {
  return std::make_unique<SubtreeReducer>(queue, arena, options);
}

}  // namespace sono
