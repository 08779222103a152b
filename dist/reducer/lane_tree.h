#pragma once
// The fixed binary tree that sums over lanes.
//
// Node (level l, index i) is the sum of lanes i * 2^l .. (i + 1) * 2^l - 1, its
// left half plus its right half; a half beyond the last lane is left out. Lanes
// are pushed in ascending order and merged like a binary counter, so at most
// log2(V) + 1 nodes are kept. Floating-point addition sees the same pairs
// whoever pushes them, whole or in parts.

#include <cstdint>
#include <utility>
#include <vector>

namespace sono {

// `Sum` is what is added: a tensor, a number, the place of a buffer.
template <class Sum>
class LaneTree {
 public:
  struct Node {
    int level = 0;
    int index = 0;
    Sum sum = {};
  };

  explicit LaneTree(int num_lanes) : num_lanes_(num_lanes) {}

  // Adds a node to the right of those here; `merge(left, right)` adds right to
  // left, for each pair that this completes.
  template <class Merge>
  void push(Node node, Merge&& merge) {
    while (std::int64_t{1} << node.level < num_lanes_) {
      if (node.index % 2 == 1) {
        if (!has_sibling(node)) break;  // the left half is another rank's
        Node left = std::move(nodes_.back());
        nodes_.pop_back();
        merge(left.sum, node.sum);
        node.sum = std::move(left.sum);
      } else if ((std::int64_t{node.index} + 1) << node.level < num_lanes_) {
        break;  // the right half is still to come
      }
      ++node.level;
      node.index /= 2;
    }
    nodes_.push_back(std::move(node));
  }

  // True when the last node here is the left half of `node`'s parent.
  bool has_sibling(const Node& node) const {
    return node.index % 2 == 1 && !nodes_.empty() &&
           nodes_.back().level == node.level &&
           nodes_.back().index == node.index - 1;
  }

  const std::vector<Node>& nodes() const { return nodes_; }
  // The nodes, which are then gone from here.
  std::vector<Node> take() { return std::exchange(nodes_, {}); }

 private:
  int num_lanes_;
  std::vector<Node> nodes_;
};

}  // namespace sono
