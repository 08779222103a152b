#pragma once
// The text encoder of Stable Diffusion: transformers' CLIPTextModel, with the
// parameter names of the published weights.

#include <memory>
#include <string>
#include <vector>

#include "models/io/config_json.h"
#include "models/nn/layers.h"

namespace sono {

class ClipTokenizer;

struct ClipTextConfig {  // defaults: Stable Diffusion 1.x
  std::int64_t vocab_size = 49408;
  std::int64_t hidden_size = 768;
  std::int64_t intermediate_size = 3072;
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  std::int64_t max_position_embeddings = 77;
  double layer_norm_eps = 1e-5;
  enum class Activation { kQuickGelu, kGelu };
  Activation hidden_act = Activation::kQuickGelu;

  // text_encoder/config.json. DataError naming the key.
  static ClipTextConfig read(ConfigJson json);
};

class ClipEncoderLayer : public Module {
 public:
  explicit ClipEncoderLayer(const ClipTextConfig& config);
  // [B, L, hidden] -> [B, L, hidden]; a token sees those before it.
  at::Tensor operator()(const at::Tensor& x) const;

 protected:
  bool is_block() const override { return true; }

 private:
  at::Tensor forward(const at::Tensor& x) const;
  at::Tensor attend(const at::Tensor& x) const;

  Linear k_proj_, v_proj_, q_proj_, out_proj_;
  LayerNorm layer_norm1_;
  Linear fc1_, fc2_;
  LayerNorm layer_norm2_;
  std::int64_t heads_;
  ClipTextConfig::Activation activation_;
};

class ClipTextModel : public Module {
 public:
  explicit ClipTextModel(const ClipTextConfig& config);

  // ids int64 [B, L], L at most 77. Returns [B, L, hidden], after the final
  // norm. Padding is seen like any token, as Stable Diffusion was trained.
  // clip_skip counts as the web interfaces do: 1 is the last layer, 2 the one
  // before it (diffusers says clip_skip=1 for that).
  at::Tensor operator()(const at::Tensor& ids,
                        std::int64_t clip_skip = 1) const;

  // DataError when the tokenizer's ids or length are beyond this model's.
  void check_tokenizer(const ClipTokenizer& tokenizer,
                       const std::string& source) const;

  const ClipTextConfig& config() const { return config_; }

 private:
  ClipTextConfig config_;
  Embedding token_embedding_, position_embedding_;
  std::vector<std::unique_ptr<ClipEncoderLayer>> layers_;
  LayerNorm final_layer_norm_;
};

}  // namespace sono
