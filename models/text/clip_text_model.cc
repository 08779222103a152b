#include "models/text/clip_text_model.h"

#include "core/check.h"
#include "models/nn/recompute.h"
#include "models/text/clip_tokenizer.h"

namespace sono {
namespace {

using Activation = ClipTextConfig::Activation;

at::Tensor activate(const at::Tensor& x, Activation activation) {
  return activation == Activation::kGelu ? at::gelu(x)
                                         : x * at::sigmoid(1.702 * x);
}

}  // namespace

ClipTextConfig ClipTextConfig::read(ConfigJson json) {
  (void)json.expect_class({"CLIPTextModel"});
  ClipTextConfig config;
  config.vocab_size = json.integer("vocab_size");
  config.hidden_size = json.integer("hidden_size");
  config.intermediate_size = json.integer("intermediate_size");
  config.num_hidden_layers = json.integer("num_hidden_layers", {1, 512});
  config.num_attention_heads = json.integer("num_attention_heads");
  config.max_position_embeddings =
      json.integer("max_position_embeddings", {3, 1 << 16}, 77);
  config.layer_norm_eps = json.number("layer_norm_eps", {0, 1}, 1e-5);
  config.hidden_act =
      json.choice("hidden_act", {"quick_gelu", "gelu"}, "quick_gelu") == "gelu"
          ? Activation::kGelu
          : Activation::kQuickGelu;
  if (config.hidden_size % config.num_attention_heads != 0) {
    json.refuse("hidden_size", "is no multiple of num_attention_heads");
  }
  json.only("use_attention_mask", false);
  json.only("model_type", "clip_text_model");
  json.ignore({"architectures", "attention_dropout", "bos_token_id", "dropout",
               "dtype", "eos_token_id", "initializer_factor",
               "initializer_range", "pad_token_id", "projection_dim",
               "torch_dtype", "transformers_version"});
  json.finish();
  return config;
}

ClipEncoderLayer::ClipEncoderLayer(const ClipTextConfig& c)
    : k_proj_(c.hidden_size, c.hidden_size),
      v_proj_(c.hidden_size, c.hidden_size),
      q_proj_(c.hidden_size, c.hidden_size),
      out_proj_(c.hidden_size, c.hidden_size),
      layer_norm1_(c.hidden_size, c.layer_norm_eps),
      fc1_(c.hidden_size, c.intermediate_size),
      fc2_(c.intermediate_size, c.hidden_size),
      layer_norm2_(c.hidden_size, c.layer_norm_eps),
      heads_(c.num_attention_heads),
      activation_(c.hidden_act) {
  add_module("self_attn.k_proj", k_proj_);
  add_module("self_attn.v_proj", v_proj_);
  add_module("self_attn.q_proj", q_proj_);
  add_module("self_attn.out_proj", out_proj_);
  add_module("layer_norm1", layer_norm1_);
  add_module("mlp.fc1", fc1_);
  add_module("mlp.fc2", fc2_);
  add_module("layer_norm2", layer_norm2_);
}

at::Tensor ClipEncoderLayer::operator()(const at::Tensor& x) const {
  return run_block(*this, {x},
                   [this](const auto& inputs) { return forward(inputs[0]); });
}

at::Tensor ClipEncoderLayer::forward(const at::Tensor& x) const {
  const at::Tensor seen = x + attend(layer_norm1_(x));
  return seen + fc2_(activate(fc1_(layer_norm2_(seen)), activation_));
}

at::Tensor ClipEncoderLayer::attend(const at::Tensor& x) const {
  const std::int64_t batch = x.size(0), width = x.size(2);
  const auto heads_first = [&](const at::Tensor& tokens) {
    return tokens.reshape({batch, -1, heads_, width / heads_}).transpose(1, 2);
  };
  const at::Tensor mixed = at::scaled_dot_product_attention(
      heads_first(q_proj_(x)), heads_first(k_proj_(x)), heads_first(v_proj_(x)),
      /*attn_mask=*/{}, /*dropout_p=*/0, /*is_causal=*/true);
  return out_proj_(mixed.transpose(1, 2).reshape(x.sizes()));
}

ClipTextModel::ClipTextModel(const ClipTextConfig& config)
    : config_(config),
      token_embedding_(config.vocab_size, config.hidden_size),
      position_embedding_(config.max_position_embeddings, config.hidden_size),
      final_layer_norm_(config.hidden_size, config.layer_norm_eps) {
  const std::string prefix = "text_model.";
  add_module(prefix + "embeddings.token_embedding", token_embedding_);
  add_module(prefix + "embeddings.position_embedding", position_embedding_);
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    layers_.push_back(std::make_unique<ClipEncoderLayer>(config));
    add_module(prefix + "encoder.layers." + std::to_string(i), *layers_.back());
  }
  add_module(prefix + "final_layer_norm", final_layer_norm_);
}

at::Tensor ClipTextModel::operator()(const at::Tensor& ids,
                                     std::int64_t clip_skip) const {
  const auto depth = static_cast<std::int64_t>(layers_.size());
  SONO_CHECK(ids.dim() == 2 && ids.scalar_type() == at::kLong &&
                 ids.size(1) <= config_.max_position_embeddings,
             "ids " << ids.sizes() << ", positions "
                    << config_.max_position_embeddings);
  if (clip_skip < 1 || clip_skip > depth) {
    throw ConfigError("clip_skip is " + std::to_string(clip_skip) +
                      "; wanted 1 (the last layer) to " +
                      std::to_string(depth));
  }
  at::Tensor x = token_embedding_(ids) +
                 position_embedding_.weight.narrow(0, 0, ids.size(1));
  for (std::int64_t i = 0; i <= depth - clip_skip; ++i) x = (*layers_[i])(x);
  return final_layer_norm_(x);
}

void ClipTextModel::check_tokenizer(const ClipTokenizer& tokenizer,
                                    const std::string& source) const {
  if (tokenizer.largest_id() >= config_.vocab_size) {
    throw DataError(source + ": its tokenizer has ids up to " +
                    std::to_string(tokenizer.largest_id()) +
                    ", its text encoder knows " +
                    std::to_string(config_.vocab_size) +
                    " tokens; take both from one model");
  }
  if (tokenizer.max_length() > config_.max_position_embeddings) {
    throw DataError(source + ": its tokenizer makes prompts of " +
                    std::to_string(tokenizer.max_length()) +
                    " tokens, its text encoder reads " +
                    std::to_string(config_.max_position_embeddings));
  }
}

}  // namespace sono
