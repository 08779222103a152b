#include "models/unet/attention_block.h"

#include "models/nn/recompute.h"

namespace sono {

AttentionBlock::AttentionBlock(const AttentionBlockOptions& o)
    : group_norm_(o.groups, o.channels, o.eps),
      to_q_(o.channels, o.channels),
      to_k_(o.channels, o.channels),
      to_v_(o.channels, o.channels),
      to_out_(o.channels, o.channels),
      heads_(o.head_dim == 0 ? 1 : o.channels / o.head_dim),
      output_scale_(o.output_scale) {
  add_module("group_norm", group_norm_);
  add_module("to_q", to_q_);
  add_module("to_k", to_k_);
  add_module("to_v", to_v_);
  add_module("to_out.0", to_out_);
}

at::Tensor AttentionBlock::operator()(const at::Tensor& x) const {
  return run_block(*this, {x},
                   [this](const auto& inputs) { return forward(inputs[0]); });
}

at::Tensor AttentionBlock::forward(const at::Tensor& x) const {
  const std::int64_t batch = x.size(0), channels = x.size(1);
  const auto heads_first = [&](const at::Tensor& tokens) {
    return tokens.reshape({batch, -1, heads_, channels / heads_})
        .transpose(1, 2);
  };
  // [B, HW, C]
  const at::Tensor tokens = group_norm_(x).flatten(2).transpose(1, 2);
  const at::Tensor mixed = at::scaled_dot_product_attention(
      heads_first(to_q_(tokens)), heads_first(to_k_(tokens)),
      heads_first(to_v_(tokens)));
  const at::Tensor out =
      to_out_(mixed.transpose(1, 2).reshape({batch, -1, channels}));
  const at::Tensor sum = x + out.transpose(1, 2).reshape(x.sizes());
  return output_scale_ == 1 ? sum : sum / output_scale_;
}

}  // namespace sono
