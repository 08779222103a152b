#include "models/unet/blocks.h"

#include <string>

#include "core/check.h"

namespace sono {

void ResnetStack::add_resnet(std::int64_t in_channels,
                             std::int64_t out_channels) {
  resnets_.push_back(std::make_unique<ResnetBlock>(
      ResnetBlockOptions{in_channels, out_channels, options_.time_channels,
                         options_.groups, options_.eps}));
  add_module("resnets." + std::to_string(resnets_.size() - 1),
             *resnets_.back());
}

void ResnetStack::add_attention(std::int64_t channels) {
  attentions_.push_back(std::make_unique<AttentionBlock>(AttentionBlockOptions{
      channels, options_.head_dim, options_.groups, options_.eps}));
  add_module("attentions." + std::to_string(attentions_.size() - 1),
             *attentions_.back());
}

DownBlock::DownBlock(const Options& o) : ResnetStack(o) {
  for (std::int64_t i = 0; i < o.layers; ++i) {
    add_resnet(i == 0 ? o.in_channels : o.out_channels, o.out_channels);
    if (o.attention) add_attention(o.out_channels);
  }
  if (o.downsample) {
    downsampler_.emplace(o.out_channels, o.out_channels,
                         ConvOptions{.kernel = 3, .stride = 2, .padding = 1});
    add_module("downsamplers.0.conv", *downsampler_);
  }
}

at::Tensor DownBlock::operator()(at::Tensor x, const at::Tensor& time,
                                 Skips& skips) const {
  for (std::size_t i = 0; i < resnets_.size(); ++i) {
    x = (*resnets_[i])(x, time);
    if (!attentions_.empty()) x = (*attentions_[i])(x);
    skips.push_back(x);
  }
  if (downsampler_) {
    x = (*downsampler_)(x);
    skips.push_back(x);
  }
  return x;
}

MidBlock::MidBlock(const Options& o) : ResnetStack(o) {
  add_resnet(o.channels, o.channels);
  if (o.attention) add_attention(o.channels);
  add_resnet(o.channels, o.channels);
}

at::Tensor MidBlock::operator()(const at::Tensor& x,
                                const at::Tensor& time) const {
  at::Tensor h = (*resnets_[0])(x, time);
  if (!attentions_.empty()) h = (*attentions_[0])(h);
  return (*resnets_[1])(h, time);
}

UpBlock::UpBlock(const Options& o) : ResnetStack(o) {
  for (std::int64_t i = 0; i <= o.layers; ++i) {
    const std::int64_t skip = i == o.layers ? o.in_channels : o.out_channels;
    const std::int64_t input = i == 0 ? o.prev_channels : o.out_channels;
    add_resnet(input + skip, o.out_channels);
    if (o.attention) add_attention(o.out_channels);
  }
  if (o.upsample) {
    upsampler_.emplace(o.out_channels, o.out_channels,
                       ConvOptions{.kernel = 3, .padding = 1});
    add_module("upsamplers.0.conv", *upsampler_);
  }
}

at::Tensor UpBlock::operator()(at::Tensor x, const at::Tensor& time,
                               Skips& skips) const {
  for (std::size_t i = 0; i < resnets_.size(); ++i) {
    SONO_CHECK(!skips.empty(), "no skip left for resnet " << i);
    x = (*resnets_[i])(at::cat({x, skips.back()}, 1), time);
    skips.pop_back();
    if (!attentions_.empty()) x = (*attentions_[i])(x);
  }
  if (!upsampler_) return x;
  const auto size = skips.back().sizes().slice(2);
  return (*upsampler_)(at::upsample_nearest2d(x, size));
}

}  // namespace sono
