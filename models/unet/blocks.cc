#include "models/unet/blocks.h"

#include <string>

#include "core/check.h"

namespace sono {

void ResnetStack::add_resnet(std::int64_t in_channels,
                             std::int64_t out_channels) {
  resnets_.push_back(std::make_unique<ResnetBlock>(ResnetBlockOptions{
      in_channels, out_channels, options_.time_channels, options_.groups,
      options_.eps, options_.output_scale}));
  add_module("resnets." + std::to_string(resnets_.size() - 1),
             *resnets_.back());
}

void ResnetStack::add_attention(std::int64_t channels) {
  if (options_.attention == StageAttention::kNone) return;
  const std::string name =
      "attentions." +
      std::to_string(self_attentions_.size() + transformers_.size());
  if (options_.attention == StageAttention::kSelf) {
    self_attentions_.push_back(std::make_unique<AttentionBlock>(
        AttentionBlockOptions{channels, options_.head_dim, options_.groups,
                              options_.eps, options_.output_scale}));
    add_module(name, *self_attentions_.back());
    return;
  }
  TransformerOptions transformer = options_.transformer;
  transformer.channels = channels;
  transformers_.push_back(std::make_unique<Transformer2D>(transformer));
  add_module(name, *transformers_.back());
}

at::Tensor ResnetStack::attend(std::size_t i, const at::Tensor& x,
                               const LayerCondition& condition) const {
  switch (options_.attention) {
    case StageAttention::kSelf:
      return (*self_attentions_[i])(x);
    case StageAttention::kText:
      SONO_CHECK(condition.text != nullptr, "attention to a text without one");
      return (*transformers_[i])(x, *condition.text);
    case StageAttention::kNone:
      break;
  }
  return x;
}

void ResnetStack::prepare(TextContext& text) const {
  for (const auto& transformer : transformers_) transformer->prepare(text);
}

void ResnetStack::prepare(const at::Tensor& activated_times,
                          TimeTable& table) const {
  for (const auto& resnet : resnets_) resnet->prepare(activated_times, table);
}

DownBlock::DownBlock(const Options& o)
    : ResnetStack(o), pad_after_(o.downsample_padding == 0) {
  for (std::int64_t i = 0; i < o.layers; ++i) {
    add_resnet(i == 0 ? o.in_channels : o.out_channels, o.out_channels);
    add_attention(o.out_channels);
  }
  if (o.downsample) {
    downsampler_.emplace(
        o.out_channels, o.out_channels,
        ConvOptions{.kernel = 3, .stride = 2, .padding = o.downsample_padding});
    add_module("downsamplers.0.conv", *downsampler_);
  }
}

at::Tensor DownBlock::operator()(at::Tensor x, const LayerCondition& condition,
                                 Skips* skips) const {
  for (std::size_t i = 0; i < resnets_.size(); ++i) {
    x = attend(i, (*resnets_[i])(x, condition), condition);
    if (skips != nullptr) skips->push_back(x);
  }
  if (downsampler_) {
    if (pad_after_) x = at::constant_pad_nd(x, {0, 1, 0, 1});
    x = (*downsampler_)(x);
    if (skips != nullptr) skips->push_back(x);
  }
  return x;
}

MidBlock::MidBlock(const StageOptions& options, std::int64_t channels)
    : ResnetStack(options) {
  add_resnet(channels, channels);
  add_attention(channels);
  add_resnet(channels, channels);
}

at::Tensor MidBlock::operator()(const at::Tensor& x,
                                const LayerCondition& condition) const {
  const at::Tensor h = attend(0, (*resnets_[0])(x, condition), condition);
  return (*resnets_[1])(h, condition);
}

UpBlock::UpBlock(const Options& o) : ResnetStack(o) {
  for (std::int64_t i = 0; i <= o.layers; ++i) {
    const std::int64_t skip = i == o.layers ? o.in_channels : o.out_channels;
    const std::int64_t input = i == 0 ? o.prev_channels : o.out_channels;
    add_resnet(input + skip, o.out_channels);
    add_attention(o.out_channels);
  }
  if (o.upsample) {
    upsampler_.emplace(o.out_channels, o.out_channels,
                       ConvOptions{.kernel = 3, .padding = 1});
    add_module("upsamplers.0.conv", *upsampler_);
  }
}

at::Tensor UpBlock::operator()(at::Tensor x, const LayerCondition& condition,
                               Skips& skips) const {
  for (std::size_t i = 0; i < resnets_.size(); ++i) {
    SONO_CHECK(!skips.empty(), "no skip left for resnet " << i);
    x = (*resnets_[i])(at::cat({x, skips.back()}, 1), condition);
    skips.pop_back();
    x = attend(i, x, condition);
  }
  if (!upsampler_) return x;
  const auto size = skips.back().sizes().slice(2);
  return (*upsampler_)(at::upsample_nearest2d(x, size));
}

}  // namespace sono
