#include "models/unet/resnet_block.h"

#include "models/nn/recompute.h"

namespace sono {

ResnetBlock::ResnetBlock(const ResnetBlockOptions& o)
    : norm1_(o.groups, o.in_channels, o.eps),
      conv1_(o.in_channels, o.out_channels, {.kernel = 3, .padding = 1}),
      norm2_(o.groups, o.out_channels, o.eps),
      conv2_(o.out_channels, o.out_channels, {.kernel = 3, .padding = 1}),
      output_scale_(o.output_scale) {
  add_module("norm1", norm1_);
  add_module("conv1", conv1_);
  if (o.time_channels > 0) {
    add_module("time_emb_proj",
               time_emb_proj_.emplace(o.time_channels, o.out_channels));
  }
  add_module("norm2", norm2_);
  add_module("conv2", conv2_);
  if (o.in_channels != o.out_channels) {
    conv_shortcut_.emplace(o.in_channels, o.out_channels,
                           ConvOptions{.kernel = 1});
    add_module("conv_shortcut", *conv_shortcut_);
  }
}

at::Tensor ResnetBlock::operator()(const at::Tensor& x,
                                   const LayerCondition& condition) const {
  if (!time_emb_proj_) {
    return run_block(*this, {x}, [this](const auto& inputs) {
      return forward(inputs[0], {});
    });
  }
  if (condition.times != nullptr) {
    const at::Tensor shift =
        condition.times->shifts.at(this).narrow(0, condition.step, 1);
    return run_block(*this, {x}, [this, shift](const auto& inputs) {
      return forward(inputs[0], shift);
    });
  }
  return run_block(*this, {x, condition.time}, [this](const auto& inputs) {
    return forward(inputs[0], (*time_emb_proj_)(inputs[1]));
  });
}

void ResnetBlock::prepare(const at::Tensor& activated_times,
                          TimeTable& table) const {
  if (time_emb_proj_) table.shifts[this] = (*time_emb_proj_)(activated_times);
}

at::Tensor ResnetBlock::forward(const at::Tensor& x,
                                const at::Tensor& time_shift) const {
  at::Tensor h = conv1_(at::silu(norm1_(x)));
  if (time_shift.defined()) h = h + time_shift.unsqueeze(-1).unsqueeze(-1);
  h = conv2_(at::silu(norm2_(h)));
  h = h + (conv_shortcut_ ? (*conv_shortcut_)(x) : x);
  return output_scale_ == 1 ? h : h / output_scale_;
}

}  // namespace sono
