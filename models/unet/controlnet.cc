#include "models/unet/controlnet.h"

#include <cmath>
#include <string>

#include "core/check.h"

namespace sono {
namespace {

constexpr ConvOptions kSameSize{.kernel = 3, .padding = 1};
constexpr ConvOptions kHalfSize{.kernel = 3, .stride = 2, .padding = 1};
constexpr ConvOptions kPointwise{.kernel = 1};

const ControlNetConfig& validated(const ControlNetConfig& config) {
  config.validate();
  return config;
}

// Factor of residual i of `count`: a tenth at the first, 1 at the last, even
// steps in the exponent.
double fading(std::size_t i, std::size_t count) {
  const double way = static_cast<double>(i) / static_cast<double>(count - 1);
  return std::pow(10.0, way - 1);
}

}  // namespace

void ControlNetConfig::validate() const {
  unet.validate();
  bool fits = conditioning_channels > 0 && !conditioning_widths.empty();
  for (const std::int64_t width : conditioning_widths) {
    fits = fits && width > 0;
  }
  if (!fits) {
    throw ConfigError(
        "controlnet: conditioning_channels and every one of "
        "conditioning_embedding_out_channels must be 1 or more");
  }
}

ControlNetConfig controlnet_config_of(const UNetConfig& unet,
                                      std::int64_t factor) {
  ControlNetConfig config;
  config.unet = unet;
  config.unet.out_channels = unet.in_channels;
  auto& widths = config.conditioning_widths;
  std::size_t halvings = 0;
  while ((std::int64_t{1} << halvings) < factor) ++halvings;
  if (halvings + 1 > widths.size() || !unet.has_text() ||
      unet.conv_in_kernel != 3 || unet.center_input_sample) {
    throw ConfigError(
        "a ControlNet is a copy of a UNet that looks at a text, with conv_in "
        "of 3 x 3, behind an autoencoder of 3 halvings at most; this model's "
        "are others");
  }
  widths.resize(halvings + 1);
  return config;
}

ConditioningEmbedding::ConditioningEmbedding(const ControlNetConfig& c)
    : conv_in_(c.conditioning_channels, c.conditioning_widths.front(),
               kSameSize),
      conv_out_(c.conditioning_widths.back(), c.unet.block_out_channels[0],
                kSameSize) {
  add_module("conv_in", conv_in_);
  const auto& widths = c.conditioning_widths;
  const auto add = [&](std::int64_t in, std::int64_t out, ConvOptions options) {
    blocks_.push_back(std::make_unique<Conv2d>(in, out, options));
    add_module("blocks." + std::to_string(blocks_.size() - 1), *blocks_.back());
  };
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    add(widths[i], widths[i], kSameSize);
    add(widths[i], widths[i + 1], kHalfSize);
  }
  add_module("conv_out", conv_out_);
}

at::Tensor ConditioningEmbedding::operator()(
    const at::Tensor& condition) const {
  at::Tensor x = at::silu(conv_in_(condition));
  for (const auto& block : blocks_) x = at::silu((*block)(x));
  return conv_out_(x);
}

ControlNet::ControlNet(const ControlNetConfig& config)
    : EncoderHalf(validated(config).unet),
      config_(config),
      controlnet_cond_embedding_(config),
      controlnet_mid_block_(config.unet.block_out_channels.back(),
                            config.unet.block_out_channels.back(), kPointwise) {
  add_module("controlnet_cond_embedding", controlnet_cond_embedding_);
  add_control_blocks();
  add_mid_block();
  add_module("controlnet_mid_block", controlnet_mid_block_);
}

void ControlNet::start_from(const UNet& unet, std::uint64_t seed) {
  const at::NoGradGuard no_grad;
  initialize(seed);
  const StateDict theirs = unet.state();
  for (const auto& [name, tensor] : state()) {
    const auto found = theirs.find(name);
    if (found != theirs.end()) tensor.copy_(found->second);
  }
  const auto silence = [](Conv2d& conv) {
    conv.weight.zero_();
    conv.bias.zero_();
  };
  for (const auto& block : controlnet_down_blocks_) silence(*block);
  silence(controlnet_mid_block_);
  silence(controlnet_cond_embedding_.conv_out_);
}

void ControlNet::add_control_blocks() {
  const UNetConfig& c = config_.unet;
  const auto add = [&](std::int64_t channels) {
    controlnet_down_blocks_.push_back(
        std::make_unique<Conv2d>(channels, channels, kPointwise));
    add_module("controlnet_down_blocks." +
                   std::to_string(controlnet_down_blocks_.size() - 1),
               *controlnet_down_blocks_.back());
  };
  add(c.block_out_channels[0]);
  for (std::size_t i = 0; i < c.block_out_channels.size(); ++i) {
    for (std::int64_t j = 0; j < c.layers_per_block; ++j) {
      add(c.block_out_channels[i]);
    }
    if (i + 1 < c.block_out_channels.size()) add(c.block_out_channels[i]);
  }
}

ControlResiduals ControlNet::operator()(const at::Tensor& sample,
                                        const at::Tensor& timesteps,
                                        const UNetCondition& condition,
                                        const at::Tensor& image,
                                        const ControlStrength& strength) const {
  TextContext own_text;
  const LayerCondition layers =
      layer_condition(sample, timesteps, condition, own_text);
  const at::Tensor shown = image.to(dtype());
  const at::Tensor embedded = controlnet_cond_embedding_(
      config_.conditioning_bgr ? shown.flip(1) : shown);
  const at::Tensor x = enter(sample);
  SONO_CHECK(embedded.sizes().slice(1) == x.sizes().slice(1),
             "condition image " << image.sizes() << " for a sample of "
                                << sample.sizes());
  Skips skips;
  const at::Tensor low = turn(descend(x + embedded, layers, skips), layers);

  const bool fade = strength.guess && !config_.global_pool_conditions;
  const std::size_t count = skips.size() + 1;
  const auto residual = [&](const Conv2d& block, const at::Tensor& map,
                            std::size_t i) {
    const double scale = strength.scale * (fade ? fading(i, count) : 1);
    const at::Tensor scaled = block(map) * scale;
    return config_.global_pool_conditions ? scaled.mean({2, 3}, true) : scaled;
  };
  ControlResiduals residuals;
  for (std::size_t i = 0; i < skips.size(); ++i) {
    residuals.down.push_back(
        residual(*controlnet_down_blocks_[i], skips[i], i));
  }
  residuals.mid = residual(controlnet_mid_block_, low, skips.size());
  return residuals;
}

}  // namespace sono
