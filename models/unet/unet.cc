#include "models/unet/unet.h"

#include <string>

#include "core/check.h"

namespace sono {
namespace {

// Before any layer is made, so that the error is about the config.
const UNetConfig& validated(const UNetConfig& config) {
  config.validate();
  return config;
}

}  // namespace

void UNetConfig::validate() const {
  if (block_out_channels.empty() ||
      block_out_channels.size() != attention.size()) {
    throw ConfigError("unet: block_out_channels has " +
                      std::to_string(block_out_channels.size()) +
                      " levels, attention " + std::to_string(attention.size()) +
                      "; give one entry a level in both");
  }
  if (in_channels < 1 || out_channels < 1 || layers_per_block < 1 ||
      attention_head_dim < 1 || norm_num_groups < 1 || num_class_embeds < 0) {
    throw ConfigError(
        "unet: channels, layers, head size and groups must be 1 or more");
  }
  for (std::size_t i = 0; i < block_out_channels.size(); ++i) {
    const std::int64_t channels = block_out_channels[i];
    const bool last = i + 1 == block_out_channels.size();
    const bool attends = attention[i] || (last && mid_attention);
    const bool fits = channels > 0 && channels % 2 == 0 &&
                      channels % norm_num_groups == 0 &&
                      (!attends || channels % attention_head_dim == 0);
    if (!fits) {
      throw ConfigError("unet: " + std::to_string(channels) +
                        " channels at level " + std::to_string(i) +
                        " must be an even multiple of the groups (" +
                        std::to_string(norm_num_groups) +
                        ") and, with attention, of the head size (" +
                        std::to_string(attention_head_dim) + ")");
    }
  }
}

UNet::UNet(const UNetConfig& config)
    : config_(validated(config)),
      conv_in_(config.in_channels, config.block_out_channels[0],
               {.kernel = 3, .padding = 1}),
      time_embedding_(config.block_out_channels[0],
                      4 * config.block_out_channels[0]),
      conv_norm_out_(config.norm_num_groups, config.block_out_channels[0],
                     config.norm_eps),
      conv_out_(config.block_out_channels[0], config.out_channels,
                {.kernel = 3, .padding = 1}) {
  const StageOptions stage{4 * config.block_out_channels[0],
                           config.layers_per_block, config.attention_head_dim,
                           config.norm_num_groups, config.norm_eps};
  add_module("conv_in", conv_in_);
  add_module("time_embedding", time_embedding_);
  if (config.num_class_embeds > 0) {
    class_embedding_.emplace(config.num_class_embeds, stage.time_channels);
    add_module("class_embedding", *class_embedding_);
  }
  add_down_blocks(stage);
  add_up_blocks(stage);
  MidBlock::Options mid{stage};
  mid.channels = config.block_out_channels.back();
  mid.attention = config.mid_attention;
  mid_block_.emplace(mid);
  add_module("mid_block", *mid_block_);
  add_module("conv_norm_out", conv_norm_out_);
  add_module("conv_out", conv_out_);
}

void UNet::add_down_blocks(const StageOptions& stage) {
  const auto& channels = config_.block_out_channels;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    DownBlock::Options options{stage};
    options.in_channels = channels[i == 0 ? 0 : i - 1];
    options.out_channels = channels[i];
    options.attention = config_.attention[i];
    options.downsample = i + 1 < channels.size();
    down_blocks_.push_back(std::make_unique<DownBlock>(options));
    add_module("down_blocks." + std::to_string(i), *down_blocks_.back());
  }
}

void UNet::add_up_blocks(const StageOptions& stage) {
  const auto& channels = config_.block_out_channels;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const std::size_t level = channels.size() - 1 - i;
    UpBlock::Options options{stage};
    options.in_channels = channels[level == 0 ? 0 : level - 1];
    options.out_channels = channels[level];
    options.prev_channels = channels[i == 0 ? level : level + 1];
    options.attention = config_.attention[level];
    options.upsample = level > 0;
    up_blocks_.push_back(std::make_unique<UpBlock>(options));
    add_module("up_blocks." + std::to_string(i), *up_blocks_.back());
  }
}

// [B, 4 * first width], after the SiLU with which every resnet would begin.
at::Tensor UNet::embed(const at::Tensor& timesteps,
                       const at::Tensor& class_ids) const {
  at::Tensor time = time_embedding_(sinusoidal_embedding(
      timesteps, {config_.block_out_channels[0], config_.flip_sin_to_cos,
                  config_.freq_shift}));
  SONO_CHECK(class_ids.defined() == class_embedding_.has_value(),
             "class ids and a class embedding come together or not at all");
  if (class_embedding_) time = time + (*class_embedding_)(class_ids);
  return at::silu(time);
}

at::Tensor UNet::operator()(const at::Tensor& sample,
                            const at::Tensor& timesteps,
                            const at::Tensor& class_ids) const {
  SONO_CHECK(sample.dim() == 4 && sample.size(1) == config_.in_channels,
             "sample " << sample.sizes() << ", channels wanted "
                       << config_.in_channels);
  SONO_CHECK(timesteps.dim() == 1 && timesteps.size(0) == sample.size(0),
             "timesteps " << timesteps.sizes());
  const at::Tensor time = embed(timesteps, class_ids);
  at::Tensor x = conv_in_(sample);
  Skips skips{x};
  for (const auto& block : down_blocks_) x = (*block)(x, time, skips);
  x = (*mid_block_)(x, time);
  for (const auto& block : up_blocks_) x = (*block)(x, time, skips);
  return conv_out_(at::silu(conv_norm_out_(x)));
}

}  // namespace sono
