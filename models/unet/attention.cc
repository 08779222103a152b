#include "models/unet/attention.h"

namespace sono {

Attention::Attention(const AttentionOptions& o)
    : to_q_(o.channels, o.channels, /*bias=*/false),
      to_k_(o.context_width, o.channels, /*bias=*/false),
      to_v_(o.context_width, o.channels, /*bias=*/false),
      to_out_(o.channels, o.channels),
      heads_(o.heads) {
  add_module("to_q", to_q_);
  add_module("to_k", to_k_);
  add_module("to_v", to_v_);
  add_module("to_out.0", to_out_);
}

KeyValue Attention::project(const at::Tensor& context) const {
  return {to_k_(context), to_v_(context)};
}

at::Tensor Attention::operator()(const at::Tensor& x,
                                 const at::Tensor& context) const {
  return (*this)(x, project(context));
}

at::Tensor Attention::operator()(const at::Tensor& x,
                                 const KeyValue& projected) const {
  const std::int64_t batch = x.size(0), channels = x.size(2);
  const auto heads_first = [&](const at::Tensor& tokens) {
    return tokens.view({tokens.size(0), -1, heads_, channels / heads_})
        .transpose(1, 2)
        .expand({batch, -1, -1, -1});
  };
  const at::Tensor mixed = at::scaled_dot_product_attention(
      heads_first(to_q_(x)), heads_first(projected.key),
      heads_first(projected.value));
  return to_out_(mixed.transpose(1, 2).reshape(x.sizes()));
}

}  // namespace sono
