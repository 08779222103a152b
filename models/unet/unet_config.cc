#include "models/unet/unet_config.h"

#include <string>

#include "core/error.h"

namespace sono {
namespace {

void check_numbers(const UNetConfig& c) {
  if (c.in_channels < 1 || c.out_channels < 1 || c.layers_per_block < 1 ||
      c.attention_head_dim < 0 || c.norm_num_groups < 1 ||
      c.num_class_embeds < 0 || c.cross_attention_dim < 0) {
    throw ConfigError(
        "unet: channels, layers and groups must be 1 or more, head size, "
        "classes and text width 0 or more");
  }
  if (c.downsample_padding < 0 || c.downsample_padding > 1 ||
      c.conv_in_kernel < 1 || c.conv_in_kernel % 2 == 0 ||
      c.conv_out_kernel < 1 || c.conv_out_kernel % 2 == 0) {
    throw ConfigError(
        "unet: kernels must be odd and downsample_padding 0 or 1");
  }
  if (!(c.norm_eps > 0) || !(c.mid_block_scale_factor > 0)) {
    throw ConfigError(
        "unet: norm_eps and mid_block_scale_factor must be above 0");
  }
}

void check_list(const char* name, std::size_t size, const UNetConfig& c) {
  const std::size_t levels = c.block_out_channels.size();
  if (size != levels) {
    throw ConfigError("unet: block_out_channels has " + std::to_string(levels) +
                      " levels, " + name + " " + std::to_string(size) +
                      "; give one entry a level in both");
  }
}

void check_lists(const UNetConfig& c) {
  if (c.block_out_channels.empty()) {
    throw ConfigError("unet: block_out_channels is empty");
  }
  check_list("attention", c.attention.size(), c);
  if (!c.has_text()) return;
  check_list("num_attention_heads", c.num_attention_heads.size(), c);
  check_list("transformer_layers", c.transformer_layers.size(), c);
  check_list("only_cross_attention", c.only_cross_attention.size(), c);
  for (const std::int64_t layers : c.transformer_layers) {
    if (layers < 1) {
      throw ConfigError("unet: transformer_layers must be 1 or more");
    }
  }
}

// Whether the heads of level i divide its channels.
bool heads_fit(const UNetConfig& c, std::size_t i) {
  const std::int64_t channels = c.block_out_channels[i];
  if (c.has_text()) {
    const std::int64_t heads = c.num_attention_heads[i];
    return heads > 0 && channels % heads == 0;
  }
  return c.attention_head_dim == 0 || channels % c.attention_head_dim == 0;
}

std::string wanted_of_heads(const UNetConfig& c, std::size_t i) {
  return c.has_text()
             ? "number of heads (" + std::to_string(c.num_attention_heads[i])
             : "head size (" + std::to_string(c.attention_head_dim);
}

}  // namespace

void UNetConfig::validate() const {
  check_numbers(*this);
  check_lists(*this);
  for (std::size_t i = 0; i < block_out_channels.size(); ++i) {
    const std::int64_t channels = block_out_channels[i];
    const bool last = i + 1 == block_out_channels.size();
    const bool attends = attention[i] || (last && mid_block && mid_attention);
    const bool fits = channels > 0 && channels % 2 == 0 &&
                      channels % norm_num_groups == 0 &&
                      (!attends || heads_fit(*this, i));
    if (!fits) {
      throw ConfigError(
          "unet: " + std::to_string(channels) + " channels at level " +
          std::to_string(i) + " must be an even multiple of the groups (" +
          std::to_string(norm_num_groups) + ") and, with attention, of the " +
          wanted_of_heads(*this, i) + ")");
    }
  }
}

}  // namespace sono
