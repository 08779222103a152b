#include "models/unet/encoder_half.h"

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

EncoderHalf::EncoderHalf(const UNetConfig& config)
    : config_(validated(config)),
      conv_in_(config.in_channels, config.block_out_channels[0],
               {.kernel = config.conv_in_kernel,
                .padding = config.conv_in_kernel / 2}),
      time_embedding_(config.block_out_channels[0],
                      4 * config.block_out_channels[0]) {
  add_module("conv_in", conv_in_);
  add_module("time_embedding", time_embedding_);
  if (config.num_class_embeds > 0) {
    class_embedding_.emplace(config.num_class_embeds,
                             4 * config.block_out_channels[0]);
    add_module("class_embedding", *class_embedding_);
  }
  add_down_blocks();
}

StageOptions EncoderHalf::stage(std::size_t level) const {
  const UNetConfig& c = config_;
  StageOptions options{.time_channels = 4 * c.block_out_channels[0],
                       .layers = c.layers_per_block,
                       .head_dim = c.attention_head_dim,
                       .groups = c.norm_num_groups,
                       .eps = c.norm_eps};
  if (c.has_text()) {
    options.transformer = {
        .heads = c.num_attention_heads[level],
        .text_width = c.cross_attention_dim,
        .layers = c.transformer_layers[level],
        .groups = c.norm_num_groups,
        .linear_projection = c.use_linear_projection,
        .only_cross_attention = c.only_cross_attention[level]};
  }
  if (c.attention[level]) {
    options.attention =
        c.has_text() ? StageAttention::kText : StageAttention::kSelf;
  }
  return options;
}

void EncoderHalf::add_input_channels(std::int64_t channels) {
  SONO_CHECK(!conv_in_added_, "input channels were added before");
  conv_in_added_.emplace(channels, config_.block_out_channels[0],
                         ConvOptions{.kernel = config_.conv_in_kernel,
                                     .padding = config_.conv_in_kernel / 2,
                                     .bias = false});
  add_module("conv_in_added", *conv_in_added_);
}

at::Tensor EncoderHalf::added_input_weight() const {
  return conv_in_added_ ? conv_in_added_->weight : at::Tensor();
}

void EncoderHalf::add_down_blocks() {
  const auto& channels = config_.block_out_channels;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    DownBlock::Options options{stage(i)};
    options.in_channels = channels[i == 0 ? 0 : i - 1];
    options.out_channels = channels[i];
    options.downsample = i + 1 < channels.size();
    options.downsample_padding = config_.downsample_padding;
    down_blocks_.push_back(std::make_unique<DownBlock>(options));
    add_module("down_blocks." + std::to_string(i), *down_blocks_.back());
  }
}

void EncoderHalf::add_mid_block() {
  if (!config_.mid_block) return;
  StageOptions options = stage(config_.block_out_channels.size() - 1);
  // The published middle has no such switch.
  options.transformer.only_cross_attention = false;
  options.output_scale = config_.mid_block_scale_factor;
  if (!config_.mid_attention) {
    options.attention = StageAttention::kNone;
  } else {
    options.attention =
        config_.has_text() ? StageAttention::kText : StageAttention::kSelf;
  }
  mid_block_.emplace(options, config_.block_out_channels.back());
  add_module("mid_block", *mid_block_);
}

at::Tensor EncoderHalf::embed(const at::Tensor& timesteps,
                              const at::Tensor& class_ids) const {
  const at::Tensor sinusoids = sinusoidal_embedding(
      timesteps, {config_.block_out_channels[0], config_.flip_sin_to_cos,
                  config_.freq_shift});
  at::Tensor time = time_embedding_(sinusoids.to(dtype()));
  SONO_CHECK(class_ids.defined() == class_embedding_.has_value(),
             "class ids and a class embedding come together or not at all");
  if (class_embedding_) time = time + (*class_embedding_)(class_ids);
  return at::silu(time);
}

LayerCondition EncoderHalf::layer_condition(const at::Tensor& sample,
                                            const at::Tensor& timesteps,
                                            const UNetCondition& condition,
                                            TextContext& own_text) const {
  const std::int64_t channels =
      config_.in_channels +
      (conv_in_added_ ? conv_in_added_->weight.size(1) : 0);
  SONO_CHECK(sample.dim() == 4 && sample.size(1) == channels,
             "sample " << sample.sizes() << ", channels wanted " << channels);
  LayerCondition layers;
  if (condition.times != nullptr) {
    SONO_CHECK(!timesteps.defined() && !condition.class_ids.defined(),
               "a table of times stands in for timesteps, without classes");
    layers.times = condition.times;
    layers.step = condition.step;
  } else {
    SONO_CHECK(timesteps.dim() == 1 && timesteps.size(0) == sample.size(0),
               "timesteps " << timesteps.sizes());
    layers.time = embed(timesteps, condition.class_ids);
  }
  SONO_CHECK_EQ(condition.text.defined() || condition.prepared_text != nullptr,
                config_.has_text());
  if (!config_.has_text()) return layers;
  if (condition.text.defined()) own_text.tokens = condition.text.to(dtype());
  layers.text = condition.text.defined() ? &own_text : condition.prepared_text;
  const at::Tensor& tokens = layers.text->tokens;
  SONO_CHECK(tokens.dim() == 3 && tokens.size(2) == config_.cross_attention_dim,
             "text " << tokens.sizes() << ", width wanted "
                     << config_.cross_attention_dim);
  SONO_CHECK(tokens.size(0) == sample.size(0) || tokens.size(0) == 1,
             "text " << tokens.sizes() << " for a batch of " << sample.size(0));
  return layers;
}

at::Tensor EncoderHalf::enter(const at::Tensor& sample) const {
  const at::Tensor x = sample.narrow(1, 0, config_.in_channels).to(dtype());
  const at::Tensor h = conv_in_(config_.center_input_sample ? 2 * x - 1 : x);
  if (!conv_in_added_) return h;
  const at::Tensor added =
      sample.narrow(1, config_.in_channels, conv_in_added_->weight.size(1));
  return h + (*conv_in_added_)(added.to(at::kFloat)).to(h.scalar_type());
}

at::Tensor EncoderHalf::descend(const at::Tensor& x,
                                const LayerCondition& condition,
                                Skips& skips) const {
  at::Tensor h = x;
  skips.push_back(h);
  for (const auto& block : down_blocks_) h = (*block)(h, condition, &skips);
  return h;
}

at::Tensor EncoderHalf::turn(const at::Tensor& x,
                             const LayerCondition& condition) const {
  return mid_block_ ? (*mid_block_)(x, condition) : x;
}

TextContext EncoderHalf::prepare_text(const at::Tensor& tokens) const {
  const at::NoGradGuard no_grad;
  SONO_CHECK(config_.has_text(), "this network looks at no text");
  TextContext text{tokens.to(dtype())};
  for (const auto& block : down_blocks_) block->prepare(text);
  if (mid_block_) mid_block_->prepare(text);
  return text;
}

TimeTable EncoderHalf::prepare_times(
    const std::vector<double>& timesteps) const {
  const at::NoGradGuard no_grad;
  TimeTable table{timesteps};
  const at::Tensor time = embed(at::tensor(timesteps), {});
  for (const auto& block : down_blocks_) block->prepare(time, table);
  if (mid_block_) mid_block_->prepare(time, table);
  return table;
}

}  // namespace sono
