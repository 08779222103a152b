#include "models/sam/tiny_vit_blocks.h"

#include <ATen/Parallel.h>

#include <algorithm>
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

// Hidden activations of a strip: what stays in a cache, and what the allocator
// hands out again without asking the system for fresh pages. A strip of a
// convolution computes two rows that its neighbours compute too, so it is
// larger.
constexpr std::int64_t kConvStripBytes = 8 << 20;
constexpr std::int64_t kMlpStripBytes = 2 << 20;

// Calls work(first row, number of rows) for strips of `rows` rows of hidden
// activations, one thread a strip: so no thread waits for another inside one.
template <class Work>
void for_strips(std::int64_t rows, std::int64_t row_elements,
                std::int64_t strip_bytes, const Work& work) {
  const auto row_bytes =
      row_elements * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t step = std::max<std::int64_t>(1, strip_bytes / row_bytes);
  at::parallel_for(0, (rows + step - 1) / step, /*grain_size=*/1,
                   [&](std::int64_t begin, std::int64_t end) {
                     const at::NoGradGuard no_grad;
                     for (std::int64_t i = begin; i < end; ++i) {
                       work(i * step, std::min(step, rows - i * step));
                     }
                   });
}

// One image [1, H, W, C] through 1x1, depthwise 3x3 of stride 1 or 2, and 1x1,
// a strip of rows at a time, into out [1, H / stride, W / stride, C'].
void run_in_strips(const FoldedConv& expand, const FoldedConv& depthwise,
                   const FoldedConv& project, std::int64_t hidden_channels,
                   std::int64_t stride, const at::Tensor& x, at::Tensor out) {
  const std::int64_t height = x.size(1);
  const auto work = [&](std::int64_t row, std::int64_t count) {
    // The depthwise convolution sees one row more on each side, as far as there
    // is one, and pads with zeros where there is none.
    const std::int64_t above = std::min<std::int64_t>(row, 1);
    const std::int64_t begin = (row - above) * stride;
    const std::int64_t end = std::min(height, (row + count - 1) * stride + 2);
    at::Tensor hidden = expand(x.narrow(1, begin, end - begin));
    at::gelu_(hidden);
    hidden = depthwise(hidden).narrow(1, above, count);
    at::gelu_(hidden);
    out.narrow(1, row, count).copy_(project(hidden));
  };
  for_strips(out.size(1), stride * x.size(2) * hidden_channels, kConvStripBytes,
             work);
}

}  // namespace

MbConv::MbConv(std::int64_t channels, std::int64_t expansion)
    : hidden_channels_(channels * expansion),
      conv1_(channels, channels * expansion),
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
  at::Tensor out = at::empty_like(x);
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    run_in_strips(conv1_, conv2_, conv3_, hidden_channels_, 1,
                  x.narrow(0, i, 1), out.narrow(0, i, 1));
  }
  return at::gelu_(out.add_(x));
}

PatchMerging::PatchMerging(std::int64_t in_channels, std::int64_t out_channels,
                           std::int64_t stride)
    : channels_(out_channels),
      stride_(stride),
      conv1_(in_channels, out_channels),
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
  at::Tensor out = at::empty({x.size(0), (x.size(1) - 1) / stride_ + 1,
                              (x.size(2) - 1) / stride_ + 1, channels_},
                             x.options());
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    run_in_strips(conv1_, conv2_, conv3_, channels_, stride_, x.narrow(0, i, 1),
                  out.narrow(0, i, 1));
  }
  return out;
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
  gathered_bias_ =
      attention_biases_
          .index_select(1, bias_columns(window_).to(attention_biases_.device()))
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
  at::Tensor out = at::empty_like(x);
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const auto work = [&, i](std::int64_t row, std::int64_t count) {
      at::Tensor hidden = fc1_(norm_(x[i].narrow(0, row, count)));
      at::gelu_(hidden);
      out[i].narrow(0, row, count).copy_(fc2_(hidden));
    };
    for_strips(x.size(1), x.size(2) * fc1_.weight.size(0), kMlpStripBytes,
               work);
  }
  return out;
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
