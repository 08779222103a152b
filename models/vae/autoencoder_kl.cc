#include "models/vae/autoencoder_kl.h"

#include <string>

#include "core/check.h"

namespace sono {
namespace {

constexpr double kNormEps = 1e-6;
constexpr ConvOptions kSameSize{.kernel = 3, .padding = 1};

const AutoencoderConfig& validated(const AutoencoderConfig& config) {
  config.validate();
  return config;
}

StageOptions stage_of(const AutoencoderConfig& c) {
  return {.layers = c.layers_per_block,
          .head_dim = 0,
          .groups = c.norm_num_groups,
          .eps = kNormEps};
}

StageOptions mid_of(const AutoencoderConfig& c) {
  StageOptions options = stage_of(c);
  if (c.mid_attention) options.attention = StageAttention::kSelf;
  return options;
}

template <class Net>
at::Tensor one_by_one(const at::Tensor& batch, const Net& net) {
  std::vector<at::Tensor> all;
  for (const at::Tensor& one : batch.split(1)) all.push_back(net(one));
  return all.size() == 1 ? all[0] : at::cat(all);
}

}  // namespace

void AutoencoderConfig::validate() const {
  bool fits = !block_out_channels.empty() && in_channels > 0 &&
              out_channels > 0 && latent_channels > 0 && layers_per_block > 0 &&
              norm_num_groups > 0;
  for (const std::int64_t channels : block_out_channels) {
    fits = fits && channels > 0 && channels % norm_num_groups == 0;
  }
  if (!fits) {
    throw ConfigError(
        "autoencoder: channels and layers must be 1 or more, and "
        "block_out_channels multiples of norm_num_groups (" +
        std::to_string(norm_num_groups) + ")");
  }
  if (!(scaling_factor > 0)) {
    throw ConfigError("autoencoder: scaling_factor must be above 0");
  }
}

at::Tensor LatentMoments::sample(const at::Tensor& noise) const {
  return mean + (0.5 * logvar).exp() * noise;
}

Encoder::Encoder(const AutoencoderConfig& c)
    : conv_in_(c.in_channels, c.block_out_channels.front(), kSameSize),
      conv_norm_out_(c.norm_num_groups, c.block_out_channels.back(), kNormEps),
      conv_out_(c.block_out_channels.back(), 2 * c.latent_channels, kSameSize) {
  add_module("conv_in", conv_in_);
  for (std::size_t i = 0; i < c.block_out_channels.size(); ++i) {
    DownBlock::Options options{stage_of(c)};
    options.in_channels = c.block_out_channels[i == 0 ? 0 : i - 1];
    options.out_channels = c.block_out_channels[i];
    options.downsample = i + 1 < c.block_out_channels.size();
    options.downsample_padding = 0;
    down_blocks_.push_back(std::make_unique<DownBlock>(options));
    add_module("down_blocks." + std::to_string(i), *down_blocks_.back());
  }
  add_module("mid_block",
             mid_block_.emplace(mid_of(c), c.block_out_channels.back()));
  add_module("conv_norm_out", conv_norm_out_);
  add_module("conv_out", conv_out_);
}

at::Tensor Encoder::operator()(const at::Tensor& image) const {
  at::Tensor x = conv_in_(image);
  for (const auto& block : down_blocks_) x = (*block)(x, {}, nullptr);
  x = (*mid_block_)(x, {});
  return conv_out_(at::silu(conv_norm_out_(x)));
}

DecoderStage::DecoderStage(const StageOptions& options,
                           std::int64_t in_channels, std::int64_t out_channels,
                           bool upsample)
    : ResnetStack(options) {
  for (std::int64_t i = 0; i <= options.layers; ++i) {
    add_resnet(i == 0 ? in_channels : out_channels, out_channels);
  }
  if (upsample) {
    add_module("upsamplers.0.conv",
               upsampler_.emplace(out_channels, out_channels, kSameSize));
  }
}

at::Tensor DecoderStage::operator()(at::Tensor x) const {
  for (const auto& resnet : resnets_) x = (*resnet)(x, {});
  if (!upsampler_) return x;
  return (*upsampler_)(
      at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)}));
}

Decoder::Decoder(const AutoencoderConfig& c)
    : conv_in_(c.latent_channels, c.block_out_channels.back(), kSameSize),
      conv_norm_out_(c.norm_num_groups, c.block_out_channels.front(), kNormEps),
      conv_out_(c.block_out_channels.front(), c.out_channels, kSameSize) {
  add_module("conv_in", conv_in_);
  std::int64_t width = c.block_out_channels.back();
  for (std::size_t i = 0; i < c.block_out_channels.size(); ++i) {
    const std::size_t level = c.block_out_channels.size() - 1 - i;
    up_blocks_.push_back(std::make_unique<DecoderStage>(
        stage_of(c), width, c.block_out_channels[level], level > 0));
    width = c.block_out_channels[level];
    add_module("up_blocks." + std::to_string(i), *up_blocks_.back());
  }
  add_module("mid_block",
             mid_block_.emplace(mid_of(c), c.block_out_channels.back()));
  add_module("conv_norm_out", conv_norm_out_);
  add_module("conv_out", conv_out_);
}

at::Tensor Decoder::operator()(const at::Tensor& latent) const {
  at::Tensor x = (*mid_block_)(conv_in_(latent), {});
  for (const auto& block : up_blocks_) x = (*block)(x);
  return conv_out_(at::silu(conv_norm_out_(x)));
}

AutoencoderKL::AutoencoderKL(const AutoencoderConfig& config)
    : config_(validated(config)), encoder_(config), decoder_(config) {
  add_module("encoder", encoder_);
  add_module("decoder", decoder_);
  const std::int64_t latent = config.latent_channels;
  if (config.use_quant_conv) {
    add_module("quant_conv", quant_conv_.emplace(2 * latent, 2 * latent,
                                                 ConvOptions{.kernel = 1}));
  }
  if (config.use_post_quant_conv) {
    add_module("post_quant_conv",
               post_quant_conv_.emplace(latent, latent,
                                        ConvOptions{.kernel = 1}));
  }
}

at::ScalarType AutoencoderKL::dtype() const {
  return named_parameters().front().second.scalar_type();
}

LatentMoments AutoencoderKL::encode(const at::Tensor& images) const {
  const std::int64_t factor = config_.downscale();
  SONO_CHECK(images.dim() == 4 && images.size(1) == config_.in_channels &&
                 images.size(2) % factor == 0 && images.size(3) % factor == 0,
             "images " << images.sizes() << ", " << config_.in_channels
                       << " channels and sizes in steps of " << factor
                       << " wanted");
  const at::Tensor moments =
      one_by_one(images.to(dtype()), [this](const at::Tensor& image) {
        const at::Tensor h = encoder_(image);
        return quant_conv_ ? (*quant_conv_)(h) : h;
      });
  const auto halves = moments.chunk(2, 1);
  return {halves[0], halves[1].clamp(-30, 20)};
}

at::Tensor AutoencoderKL::decode(const at::Tensor& latents) const {
  SONO_CHECK(latents.dim() == 4 && latents.size(1) == config_.latent_channels,
             "latents " << latents.sizes() << ", channels wanted "
                        << config_.latent_channels);
  return one_by_one(latents.to(dtype()), [this](const at::Tensor& latent) {
    return decoder_(post_quant_conv_ ? (*post_quant_conv_)(latent) : latent);
  });
}

}  // namespace sono
