#include "models/sam/tiny_vit_blocks.h"

#include <cmath>
#include <cstdlib>
#include <map>

#include "core/check.h"

namespace sono {
namespace {

constexpr std::int64_t kMlpExpansion = 4;

// int64 [window^2 * window^2]: which column of attention_biases serves a pair
// of tokens. Columns are numbered by first appearance of (|dy|, |dx|), as in
// the published code.
at::Tensor bias_columns(std::int64_t window) {
  const std::int64_t count = window * window;
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> columns;
  at::Tensor index = at::empty({count * count}, at::kLong);
  std::int64_t* out = index.data_ptr<std::int64_t>();
  for (std::int64_t a = 0; a < count; ++a) {
    for (std::int64_t b = 0; b < count; ++b) {
      const std::pair offset{std::abs(a / window - b / window),
                             std::abs(a % window - b % window)};
      const auto next = static_cast<std::int64_t>(columns.size());
      *out++ = columns.emplace(offset, next).first->second;
    }
  }
  return index;
}

}  // namespace

MbConv::MbConv(std::int64_t channels, std::int64_t expansion)
    : conv1_(channels, channels * expansion),
      conv2_(channels * expansion, channels * expansion,
             FoldedConv::kDepthwise),
      conv3_(channels * expansion, channels) {
  add_module("conv1", conv1_);
  add_module("conv2", conv2_);
  add_module("conv3", conv3_);
}

void MbConv::fold() {
  conv1_.fold();
  conv2_.fold();
  conv3_.fold();
}

at::Tensor MbConv::operator()(const at::Tensor& x) const {
  at::Tensor hidden = conv1_(x);
  at::gelu_(hidden);
  hidden = conv2_(hidden);
  at::gelu_(hidden);
  at::Tensor out = conv3_(hidden).add_(x);
  return at::gelu_(out);
}

PatchMerging::PatchMerging(std::int64_t in_channels, std::int64_t out_channels,
                           std::int64_t stride)
    : conv1_(in_channels, out_channels),
      conv2_(out_channels, out_channels, FoldedConv::kDepthwise, stride),
      conv3_(out_channels, out_channels) {
  add_module("conv1", conv1_);
  add_module("conv2", conv2_);
  add_module("conv3", conv3_);
}

void PatchMerging::fold() {
  conv1_.fold();
  conv2_.fold();
  conv3_.fold();
}

at::Tensor PatchMerging::operator()(const at::Tensor& x) const {
  at::Tensor hidden = conv1_(x);
  at::gelu_(hidden);
  hidden = conv2_(hidden);
  at::gelu_(hidden);
  return conv3_(hidden);
}

WindowAttention::WindowAttention(std::int64_t channels, std::int64_t heads,
                                 std::int64_t window)
    : heads_(heads),
      window_(window),
      norm_(channels),
      qkv_(channels, 3 * channels),
      proj_(channels, channels) {
  SONO_CHECK_EQ(channels % heads, 0);
  attention_biases_ =
      add_parameter("attention_biases", {heads, window * window});
  add_module("norm", norm_);
  add_module("qkv", qkv_);
  add_module("proj", proj_);
}

void WindowAttention::fold() {
  at::NoGradGuard no_grad;
  const std::int64_t count = window_ * window_;
  gathered_bias_ = attention_biases_.index_select(1, bias_columns(window_))
                       .view({1, heads_, count, count});
}

at::Tensor WindowAttention::operator()(const at::Tensor& tokens) const {
  SONO_CHECK(gathered_bias_.defined(), "call fold() after loading");
  const std::int64_t windows = tokens.size(0), count = tokens.size(1);
  // [windows, heads, count, 3 * head_dim]: q, k and v of a head side by side.
  const at::Tensor qkv =
      qkv_(norm_(tokens)).view({windows, count, heads_, -1}).transpose(1, 2);
  const auto parts = qkv.chunk(3, -1);
  const at::Tensor mixed = at::scaled_dot_product_attention(
      parts[0], parts[1], parts[2], gathered_bias_);
  return proj_(mixed.transpose(1, 2).reshape(tokens.sizes()));
}

TinyVitMlp::TinyVitMlp(std::int64_t channels, std::int64_t expansion)
    : norm_(channels),
      fc1_(channels, channels * expansion),
      fc2_(channels * expansion, channels) {
  add_module("norm", norm_);
  add_module("fc1", fc1_);
  add_module("fc2", fc2_);
}

at::Tensor TinyVitMlp::operator()(const at::Tensor& x) const {
  at::Tensor hidden = fc1_(norm_(x));
  at::gelu_(hidden);
  return fc2_(hidden);
}

TinyVitBlock::TinyVitBlock(std::int64_t channels, std::int64_t heads,
                           std::int64_t window)
    : window_(window),
      attn_(channels, heads, window),
      mlp_(channels, kMlpExpansion),
      local_conv_(channels, channels, FoldedConv::kDepthwise) {
  add_module("attn", attn_);
  add_module("mlp", mlp_);
  add_module("local_conv", local_conv_);
}

void TinyVitBlock::fold() {
  attn_.fold();
  local_conv_.fold();
}

at::Tensor TinyVitBlock::attend_in_windows(const at::Tensor& x) const {
  const std::int64_t batch = x.size(0), height = x.size(1), width = x.size(2);
  const std::int64_t channels = x.size(3);
  const std::int64_t rows = (height + window_ - 1) / window_;
  const std::int64_t columns = (width + window_ - 1) / window_;
  const at::Tensor padded = at::constant_pad_nd(
      x, {0, 0, 0, columns * window_ - width, 0, rows * window_ - height});
  const at::Tensor windows =
      padded.view({batch, rows, window_, columns, window_, channels})
          .transpose(2, 3)
          .reshape({-1, window_ * window_, channels});
  return attn_(windows)
      .view({batch, rows, columns, window_, window_, channels})
      .transpose(2, 3)
      .reshape({batch, rows * window_, columns * window_, channels})
      .slice(1, 0, height)
      .slice(2, 0, width);
}

at::Tensor TinyVitBlock::operator()(const at::Tensor& x) const {
  const at::Tensor attended = attend_in_windows(x) + x;
  const at::Tensor local = local_conv_(attended.contiguous());
  return mlp_(local).add_(local);
}

}  // namespace sono
