#pragma once
// Self-attention of SAM's vision transformer, over the whole grid of tokens or
// inside windows, with decomposed relative positions: a query's logit for a key
// gets a learned part for their distance in rows and one for that in columns
// (Li et al. 2021, arXiv 2112.01526, sect. 4; parameter names of Meta's SAM).

#include "models/nn/layers.h"

namespace sono {

class VitAttention : public Module {
 public:
  // `window`: side in tokens, or 0 for the whole grid. `table_side`: side of
  // the area that the relative positions were learned on.
  VitAttention(std::int64_t channels, std::int64_t heads, std::int64_t window,
               std::int64_t table_side);
  // fp32 [B, H, W, C] -> the same shape. Windows that stick out of the grid see
  // tokens of zeros there.
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  std::int64_t heads_;
  std::int64_t window_;
  Linear qkv_, proj_;
  at::Tensor rel_pos_h_, rel_pos_w_;  // [2 * table_side - 1, C / heads]
};

}  // namespace sono
