#include "dist/lane_reducer.h"

#include <algorithm>

#include "core/check.h"

namespace sono {

LaneReducer::LaneReducer(Communicator& comm, const Layout& layout,
                         int num_lanes, int num_scalars, at::Device device)
    : comm_(comm),
      layout_(layout),
      num_lanes_(num_lanes),
      num_scalars_(num_scalars),
      options_(at::TensorOptions().dtype(at::kFloat).device(device)) {
  SONO_CHECK(num_lanes >= 1, "a batch needs at least one lane");
}

std::pair<int, int> LaneReducer::lanes_of(int r) const {
  const int n = comm_.world_size();
  return {static_cast<int>(split_point(num_lanes_, n, r)),
          static_cast<int>(split_point(num_lanes_, n, r + 1))};
}

std::pair<int, int> LaneReducer::lanes() const {
  return lanes_of(comm_.rank());
}

at::Tensor LaneReducer::take_buffer() {
  if (free_.empty()) return at::zeros({layout_.size()}, options_);
  at::Tensor buffer = free_.back();
  free_.pop_back();
  return buffer;
}

void LaneReducer::add_lane(const std::vector<at::Tensor>& gradients,
                           const std::vector<double>& scalars) {
  at::NoGradGuard no_grad;
  const auto [first, last] = lanes();
  SONO_CHECK(first + added_ < last, "more lanes added than this rank has");
  SONO_CHECK_EQ(static_cast<int>(scalars.size()), num_scalars_);
  Node node{0, first + added_++, take_buffer(), scalars};
  const auto& entries = layout_.entries();
  node.scalars.resize(num_scalars_ + entries.size(), 0.0);
  if (gradients.empty()) node.sum.zero_();
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    at::Tensor range = node.sum.narrow(0, entries[i].offset, entries[i].numel);
    if (gradients[i].defined()) {
      range.view(entries[i].shape).copy_(gradients[i]);
      node.scalars[num_scalars_ + i] = 1;
    } else {
      range.zero_();
    }
  }
  push(stack_, std::move(node));
}

void LaneReducer::push(Stack& stack, Node node) {
  while (std::int64_t{1} << node.level < num_lanes_) {
    const bool is_right = node.index % 2 == 1;
    if (is_right) {
      if (stack.empty() || stack.back().level != node.level ||
          stack.back().index != node.index - 1) {
        break;  // the left half is another rank's
      }
      Node left = std::move(stack.back());
      stack.pop_back();
      node = merge(std::move(left), std::move(node));
    } else if ((std::int64_t{node.index} + 1) << node.level < num_lanes_) {
      break;  // the right half is still to come
    }
    ++node.level;
    node.index /= 2;
  }
  stack.push_back(std::move(node));
}

LaneReducer::Node LaneReducer::merge(Node left, Node right) {
  if (left.sum.defined()) {
    left.sum.add_(right.sum);
    if (right.sum.numel() == layout_.size()) free_.push_back(right.sum);
  }
  for (std::size_t i = 0; i < left.scalars.size(); ++i) {
    left.scalars[i] += right.scalars[i];
  }
  return left;
}

LaneReducer::Stack LaneReducer::nodes_of(int r) {
  Stack nodes;
  const auto [first, last] = lanes_of(r);
  for (int lane = first; lane < last; ++lane) push(nodes, {0, lane, {}, {}});
  return nodes;
}

LaneSums LaneReducer::finish(const at::Tensor& out, bool vote) {
  at::NoGradGuard no_grad;
  const auto [first, last] = lanes();
  SONO_CHECK_EQ(added_, last - first);
  LaneSums sums = gather_scalars(vote);
  check_arrived(sums.scalars);
  sums.scalars.resize(num_scalars_);
  gather_gradient(out);
  for (const Node& node : stack_) free_.push_back(node.sum);
  stack_.clear();
  added_ = 0;
  return sums;
}

LaneSums LaneReducer::gather_scalars(bool vote) {
  std::vector<double> packed;
  for (const Node& node : stack_) {
    packed.insert(packed.end(), node.scalars.begin(), node.scalars.end());
  }
  packed.push_back(vote ? 1 : 0);
  const auto gathered =
      comm_.all_gather(at::tensor(packed, at::kDouble).to(comm_.device_type()));

  LaneSums sums;
  Stack stack;
  const std::size_t count = num_scalars_ + layout_.entries().size();
  for (int r = 0; r < comm_.world_size(); ++r) {
    const at::Tensor values = gathered[r].to(at::kCPU);
    const double* next = values.const_data_ptr<double>();
    for (Node& node : nodes_of(r)) {
      node.scalars.assign(next, next + count);
      next += count;
      push(stack, std::move(node));
    }
    if (*next != 0) ++sums.votes;
  }
  SONO_CHECK_EQ(stack.size(), std::size_t{1});
  sums.scalars = std::move(stack.front().scalars);
  return sums;
}

void LaneReducer::check_arrived(const std::vector<double>& scalars) const {
  const auto& entries = layout_.entries();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    SONO_CHECK(scalars[num_scalars_ + i] > 0,
               "no gradient arrived for parameter "
                   << entries[i].name
                   << ": the loss does not depend on it in any lane");
  }
}

LaneReducer::Stack LaneReducer::scatter_nodes() {
  const int n = comm_.world_size();
  std::vector<Stack> nodes;
  std::size_t num_slots = 0;
  for (int r = 0; r < n; ++r) {
    nodes.push_back(nodes_of(r));
    num_slots = std::max(num_slots, nodes[r].size());
  }
  const auto [begin, end] = layout_.part(n, comm_.rank());
  for (std::size_t slot = 0; slot < num_slots; ++slot) {
    std::vector<at::Tensor> send(n), receive(n);
    for (int r = 0; r < n; ++r) {
      if (slot < stack_.size()) {
        const auto [from, to] = layout_.part(n, r);
        send[r] = stack_[slot].sum.narrow(0, from, to - from);
      }
      if (slot < nodes[r].size()) {
        receive[r] = at::empty({end - begin}, options_);
        nodes[r][slot].sum = receive[r];
      }
    }
    comm_.exchange(send, receive, "gradient scatter");
  }
  Stack all;
  for (Stack& stack : nodes) {
    for (Node& node : stack) all.push_back(std::move(node));
  }
  return all;
}

void LaneReducer::gather_gradient(const at::Tensor& out) {
  const int n = comm_.world_size();
  if (n == 1) {
    at::Tensor(out).copy_(stack_.front().sum);
    return;
  }
  Stack root;
  for (Node& node : scatter_nodes()) push(root, std::move(node));
  std::vector<at::Tensor> receive;
  for (int r = 0; r < n; ++r) {
    const auto [from, to] = layout_.part(n, r);
    receive.push_back(out.narrow(0, from, to - from));
  }
  comm_.exchange(std::vector<at::Tensor>(n, root.front().sum), receive,
                 "gradient gather");
}

}  // namespace sono
