#pragma once
// The tiny SAM ViT of tests/parity/sam.py, with the same made-up numbers.

#include <string>

#include "models/sam/sam.h"

namespace sono {

// 64 px, patches of 8, windows of 3 (so that they stick out), two blocks.
// `table_grid`: side that the global block's relative positions are for.
SamConfig tiny_sam_config(std::int64_t table_grid = 8);

// fp32 in -1 .. 1, by a hash of the name and the flat index.
at::Tensor scattered(const std::string& name, at::IntArrayRef shape);

// Weights of every parameter of `model`.
StateDict scattered_state(const Sam& model);

// The fixture that the script writes.
StateDict sam_fixture();

double largest_difference(const at::Tensor& a, const at::Tensor& b);

}  // namespace sono
