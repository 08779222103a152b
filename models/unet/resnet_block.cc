#include "models/unet/resnet_block.h"

#include "models/nn/recompute.h"

namespace sono {

ResnetBlock::ResnetBlock(const ResnetBlockOptions& o)
    : norm1_(o.groups, o.in_channels, o.eps),
      conv1_(o.in_channels, o.out_channels, {.kernel = 3, .padding = 1}),
      time_emb_proj_(o.time_channels, o.out_channels),
      norm2_(o.groups, o.out_channels, o.eps),
      conv2_(o.out_channels, o.out_channels, {.kernel = 3, .padding = 1}) {
  add_module("norm1", norm1_);
  add_module("conv1", conv1_);
  add_module("time_emb_proj", time_emb_proj_);
  add_module("norm2", norm2_);
  add_module("conv2", conv2_);
  if (o.in_channels != o.out_channels) {
    conv_shortcut_.emplace(o.in_channels, o.out_channels,
                           ConvOptions{.kernel = 1});
    add_module("conv_shortcut", *conv_shortcut_);
  }
}

at::Tensor ResnetBlock::operator()(const at::Tensor& x,
                                   const at::Tensor& activated_time) const {
  return run_block(*this, {x, activated_time}, [this](const auto& inputs) {
    return forward(inputs[0], inputs[1]);
  });
}

at::Tensor ResnetBlock::forward(const at::Tensor& x,
                                const at::Tensor& activated_time) const {
  at::Tensor h = conv1_(at::silu(norm1_(x)));
  h = h + time_emb_proj_(activated_time).unsqueeze(-1).unsqueeze(-1);
  h = conv2_(at::silu(norm2_(h)));
  return h + (conv_shortcut_ ? (*conv_shortcut_)(x) : x);
}

}  // namespace sono
