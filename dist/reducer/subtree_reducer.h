#pragma once
// Reduction with a whole gradient on every rank (ZeRO stages 0 and 1): each
// rank sums its own lanes as far as the tree allows, then sends what is left.

#include <memory>

#include "dist/reducer/gradient_reducer.h"

namespace sono {

// Needs at most log2(V/N) + 1 whole gradient buffers, arena.grad among them,
// for a power of two V/N.
std::unique_ptr<GradientReducer> make_subtree_reducer(
    CommQueue& queue, Arena& arena, const ReducerOptions& options);

// How many whole gradient buffers `rank` will need, arena.grad among them.
int num_gradient_buffers(const ReducerOptions& options, int world_size,
                         int rank);
// The most sums that any rank is left with for the others, each an exchange a
// bucket: 1 where whole subtrees fall to the ranks.
int num_subtrees(const ReducerOptions& options, int world_size);

}  // namespace sono
