#include "models/unet/unet.h"

#include <string>

#include "core/check.h"

namespace sono {
namespace {

void add_residuals(const ControlResiduals& control, Skips& skips,
                   at::Tensor& x) {
  SONO_CHECK_EQ(control.down.size(), skips.size());
  for (std::size_t i = 0; i < skips.size(); ++i) {
    skips[i] = skips[i] + control.down[i].to(skips[i].scalar_type());
  }
  x = x + control.mid.to(x.scalar_type());
}

}  // namespace

UNet::UNet(const UNetConfig& config)
    : EncoderHalf(config),
      conv_norm_out_(config.norm_num_groups, config.block_out_channels[0],
                     config.norm_eps),
      conv_out_(config.block_out_channels[0], config.out_channels,
                {.kernel = config.conv_out_kernel,
                 .padding = config.conv_out_kernel / 2}) {
  add_up_blocks();
  add_mid_block();
  add_module("conv_norm_out", conv_norm_out_);
  add_module("conv_out", conv_out_);
}

void UNet::add_up_blocks() {
  const auto& channels = config().block_out_channels;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const std::size_t level = channels.size() - 1 - i;
    UpBlock::Options options{stage(level)};
    options.in_channels = channels[level == 0 ? 0 : level - 1];
    options.out_channels = channels[level];
    options.prev_channels = channels[i == 0 ? level : level + 1];
    options.upsample = level > 0;
    up_blocks_.push_back(std::make_unique<UpBlock>(options));
    add_module("up_blocks." + std::to_string(i), *up_blocks_.back());
  }
}

at::Tensor UNet::operator()(const at::Tensor& sample,
                            const at::Tensor& timesteps,
                            const at::Tensor& class_ids) const {
  return (*this)(sample, timesteps, UNetCondition{.class_ids = class_ids});
}

at::Tensor UNet::operator()(const at::Tensor& sample,
                            const at::Tensor& timesteps,
                            const UNetCondition& condition,
                            const ControlResiduals* control) const {
  TextContext own_text;
  const LayerCondition layers =
      layer_condition(sample, timesteps, condition, own_text);
  Skips skips;
  at::Tensor x = descend(enter(sample), layers, skips);
  x = turn(x, layers);
  if (control != nullptr) add_residuals(*control, skips, x);
  for (const auto& block : up_blocks_) x = (*block)(x, layers, skips);
  return conv_out_(at::silu(conv_norm_out_(x)));
}

TextContext UNet::prepare_text(const at::Tensor& tokens) const {
  const at::NoGradGuard no_grad;
  TextContext text = EncoderHalf::prepare_text(tokens);
  for (const auto& block : up_blocks_) block->prepare(text);
  return text;
}

TimeTable UNet::prepare_times(const std::vector<double>& timesteps) const {
  const at::NoGradGuard no_grad;
  TimeTable table = EncoderHalf::prepare_times(timesteps);
  const at::Tensor time = embed(at::tensor(timesteps), {});
  for (const auto& block : up_blocks_) block->prepare(time, table);
  return table;
}

}  // namespace sono
