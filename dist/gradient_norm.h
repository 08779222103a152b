#pragma once
// The L2 norm of the whole gradient, the same bits on any number of ranks and
// at any ZeRO stage: squares are summed in fp64 over fixed blocks of 65,536
// elements, and the blocks' sums are added in order.

#include <vector>

#include "dist/arena.h"
#include "dist/communicator.h"

namespace sono {

// Sums of squares of the blocks of a flat fp32 tensor that starts at a block's
// edge.
std::vector<double> block_squares(const at::Tensor& flat);

// All ranks must call where the gradient is sharded (ZeRO stage 1 and up).
double gradient_norm(Communicator& comm, const Arena& arena);

}  // namespace sono
