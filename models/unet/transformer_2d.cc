#include "models/unet/transformer_2d.h"

#include <string>

#include "models/nn/recompute.h"

namespace sono {
namespace {

constexpr std::int64_t kExpansion = 4;  // width of the feed-forward's inside
constexpr double kNormEps = 1e-6;       // the published value; not the resnets'

// Of `context`, unless they were prepared.
KeyValue keys_and_values(const Attention& attention, const at::Tensor& context,
                         const TextContext& prepared) {
  const auto found = prepared.prepared.find(&attention);
  return found == prepared.prepared.end() ? attention.project(context)
                                          : found->second;
}

}  // namespace

FeedForward::FeedForward(std::int64_t channels)
    : proj_(channels, 2 * kExpansion * channels),
      out_(kExpansion * channels, channels) {
  add_module("net.0.proj", proj_);
  add_module("net.2", out_);
}

at::Tensor FeedForward::operator()(const at::Tensor& x) const {
  const auto halves = proj_(x).chunk(2, -1);
  return out_(halves[0] * at::gelu(halves[1]));
}

BasicTransformerBlock::BasicTransformerBlock(const TransformerOptions& o)
    : norm1_(o.channels),
      norm2_(o.channels),
      norm3_(o.channels),
      attn1_({o.channels, o.only_cross_attention ? o.text_width : o.channels,
              o.heads}),
      attn2_({o.channels, o.text_width, o.heads}),
      ff_(o.channels),
      only_cross_attention_(o.only_cross_attention) {
  add_module("norm1", norm1_);
  add_module("attn1", attn1_);
  add_module("norm2", norm2_);
  add_module("attn2", attn2_);
  add_module("norm3", norm3_);
  add_module("ff", ff_);
}

at::Tensor BasicTransformerBlock::operator()(
    at::Tensor x, const at::Tensor& text, const TextContext& prepared) const {
  const at::Tensor normed = norm1_(x);
  x = x + (only_cross_attention_
               ? attn1_(normed, keys_and_values(attn1_, text, prepared))
               : attn1_(normed, normed));
  x = x + attn2_(norm2_(x), keys_and_values(attn2_, text, prepared));
  return x + ff_(norm3_(x));
}

void BasicTransformerBlock::prepare(TextContext& text) const {
  if (only_cross_attention_) {
    text.prepared[&attn1_] = attn1_.project(text.tokens);
  }
  text.prepared[&attn2_] = attn2_.project(text.tokens);
}

Transformer2D::Transformer2D(const TransformerOptions& o)
    : norm_(o.groups, o.channels, kNormEps) {
  add_module("norm", norm_);
  if (o.linear_projection) {
    add_module("proj_in", linear_in_.emplace(o.channels, o.channels));
  } else {
    add_module("proj_in",
               conv_in_.emplace(o.channels, o.channels, ConvOptions{1}));
  }
  for (std::int64_t i = 0; i < o.layers; ++i) {
    transformer_blocks_.push_back(std::make_unique<BasicTransformerBlock>(o));
    add_module("transformer_blocks." + std::to_string(i),
               *transformer_blocks_.back());
  }
  if (o.linear_projection) {
    add_module("proj_out", linear_out_.emplace(o.channels, o.channels));
  } else {
    add_module("proj_out",
               conv_out_.emplace(o.channels, o.channels, ConvOptions{1}));
  }
}

at::Tensor Transformer2D::operator()(const at::Tensor& x,
                                     const TextContext& text) const {
  // The context by value: it is a few handles, and backward may come after the
  // caller's is gone.
  return run_block(*this, {x, text.tokens}, [this, text](const auto& inputs) {
    return forward(inputs[0], inputs[1], text);
  });
}

at::Tensor Transformer2D::forward(const at::Tensor& x, const at::Tensor& text,
                                  const TextContext& prepared) const {
  const auto to_tokens = [](const at::Tensor& map) {
    return map.flatten(2).transpose(1, 2);
  };
  const auto to_map = [&](const at::Tensor& tokens) {
    return tokens.transpose(1, 2).reshape(x.sizes());
  };
  at::Tensor tokens = linear_in_ ? (*linear_in_)(to_tokens(norm_(x)))
                                 : to_tokens((*conv_in_)(norm_(x)));
  for (const auto& block : transformer_blocks_) {
    tokens = (*block)(tokens, text, prepared);
  }
  return x + (linear_out_ ? to_map((*linear_out_)(tokens))
                          : (*conv_out_)(to_map(tokens)));
}

void Transformer2D::prepare(TextContext& text) const {
  for (const auto& block : transformer_blocks_) block->prepare(text);
}

}  // namespace sono
