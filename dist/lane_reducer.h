#pragma once
// The exact sum of gradients: the same bits for any number of ranks.
//
// The global batch of B samples is cut into V lanes; lane k holds samples
// floor(kB/V) .. floor((k+1)B/V) - 1. Lane gradients are added as one fixed
// binary tree over the lane index: node (level l, index i) is the sum of lanes
// i * 2^l .. (i + 1) * 2^l - 1, the left half plus the right half. A rank runs
// a contiguous block of lanes and merges them like a binary counter; what is
// left, its maximal complete subtrees, goes in parts to the part's owner, who
// finishes the tree; the parts are then gathered. Floating-point addition
// never sees who ran which lane.
//
// A rank holds at most about log2(V) + 2 gradient buffers.

#include <utility>
#include <vector>

#include "dist/communicator.h"
#include "dist/layout.h"

namespace sono {

struct LaneSums {
  // Sums over lanes of the scalars given with each lane, along the same tree.
  std::vector<double> scalars;
  // How many ranks voted.
  int votes = 0;
};

class LaneReducer {
 public:
  // Buffers lie on `device`, which is where the communicator moves tensors.
  LaneReducer(Communicator& comm, const Layout& layout, int num_lanes,
              int num_scalars, at::Device device);

  // The lanes [first, second) of this rank; empty on ranks beyond the last.
  std::pair<int, int> lanes() const;

  // Adds one lane of this rank; lanes come in ascending order. `gradients` are
  // in layout order, undefined where none arrived; an empty list is a lane
  // without samples. `scalars` has num_scalars values.
  void add_lane(const std::vector<at::Tensor>& gradients,
                const std::vector<double>& scalars);

  // Ends the step: the sum over all lanes in `out` (1-D, layout size) on every
  // rank. Error naming the first parameter for which no lane had a gradient.
  // All ranks must call.
  LaneSums finish(const at::Tensor& out, bool vote);

 private:
  // A node of the tree and the sum of its lanes.
  struct Node {
    int level;
    int index;
    at::Tensor sum;               // gradient, whole or one part of it
    std::vector<double> scalars;  // user's scalars, then gradient counts
  };
  using Stack = std::vector<Node>;

  std::pair<int, int> lanes_of(int r) const;
  at::Tensor take_buffer();
  // Adds the node on top, then merges upwards as far as the tree allows.
  void push(Stack& stack, Node node);
  Node merge(Node left, Node right);
  // The nodes that rank r ends with, in lane order, without their sums.
  Stack nodes_of(int r);
  LaneSums gather_scalars(bool vote);
  void check_arrived(const std::vector<double>& scalars) const;
  void gather_gradient(const at::Tensor& out);
  // This rank's part of each node of each rank.
  Stack scatter_nodes();

  Communicator& comm_;
  const Layout& layout_;
  const int num_lanes_;
  const int num_scalars_;
  const at::TensorOptions options_;
  Stack stack_;                   // what this rank has merged so far
  int added_ = 0;                 // lanes added in this step
  std::vector<at::Tensor> free_;  // whole buffers to use again
};

}  // namespace sono
