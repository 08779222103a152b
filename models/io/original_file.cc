// Single files with the names of the original code.

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/message.h"
#include "models/io/original_configs.h"
#include "models/io/pretrained.h"
#include "models/io/weight_file.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// Buffers of the original training code: the noise schedule and its like.
// They follow from the config and are not read.
const std::set<std::string> kScheduleBuffers = {
    "betas",
    "alphas_cumprod",
    "alphas_cumprod_prev",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
    "lvlb_weights",
    "logvar",
    "scale_factor",
    "global_step"};
// A moving average of the UNet's weights, kept beside them by training.
constexpr const char* kAveraged = "model_ema.";

struct Prefix {
  ModelPart part;
  const char* text;
  const char* sign;  // a key that shows the part is there, below the prefix
};

// A file of one part may leave its prefix out.
constexpr Prefix kPrefixes[] = {
    {ModelPart::kUNet, "model.diffusion_model.", "input_blocks.0.0.weight"},
    {ModelPart::kVae, "first_stage_model.", "encoder.conv_in.weight"},
    {ModelPart::kTextEncoder, "cond_stage_model.transformer.",
     "text_model.final_layer_norm.weight"},
    {ModelPart::kTextEncoder, "cond_stage_model.model.", "ln_final.weight"},
    {ModelPart::kControlNet, "control_model.", "input_hint_block.0.weight"},
    {ModelPart::kControlNet, "", "input_hint_block.0.weight"},
    {ModelPart::kVae, "", "encoder.conv_in.weight"}};

bool starts_with(const std::string& text, std::string_view start) {
  return text.compare(0, start.size(), start) == 0;
}

// What an open_clip text encoder has beyond the part that is used: a projection
// and the layers behind the one that Stable Diffusion 2 looks at.
bool is_unused_open_clip(const std::string& name, std::size_t layers) {
  for (const char* known : {"text_projection", "logit_scale", "attn_mask"}) {
    if (name == known) return true;
  }
  const std::string block = "transformer.resblocks.";
  if (!starts_with(name, block)) return false;
  const std::string digits =
      name.substr(block.size(), name.find('.', block.size()) - block.size());
  return digits.find_first_not_of("0123456789") == std::string::npos &&
         !digits.empty() && digits.size() < 4 &&
         static_cast<std::size_t>(std::stoi(digits)) >= layers;
}

std::size_t count_layers(const StateDict& own) {
  std::size_t layers = 0;
  while (own.count("text_model.encoder.layers." + std::to_string(layers) +
                   ".layer_norm1.weight")) {
    ++layers;
  }
  return layers;
}

// Weights of 1x1 convolutions where the module has a linear layer.
at::Tensor without_pixels(const at::Tensor& tensor, const at::Tensor& own) {
  const bool pointwise = own.dim() == 2 && tensor.dim() == 4 &&
                         tensor.size(2) == 1 && tensor.size(3) == 1;
  return pointwise ? tensor.flatten(1) : tensor;
}

at::Tensor rows_of_third(const at::Tensor& fused, int third) {
  if (third < 0 || fused.dim() == 0 || fused.size(0) % 3 != 0) return fused;
  const std::int64_t rows = fused.size(0) / 3;
  return fused.narrow(0, third * rows, rows);
}

class OriginalFile : public Pretrained {
 public:
  OriginalFile(const fs::path& path, PretrainedOptions options)
      : path_(path), options_(std::move(options)), all_(map_weights(path)) {
    for (const Prefix& prefix : kPrefixes) {
      const bool known = prefixes_.count(prefix.part) > 0;
      if (!known && all_.count(std::string(prefix.text) + prefix.sign)) {
        prefixes_[prefix.part] = prefix.text;
      }
    }
    refuse_strangers();
    find_kind();
  }

  bool has(ModelPart part) const override { return prefixes_.count(part) > 0; }

  ConfigJson config(ModelPart part) const override {
    (void)prefix(part);
    const std::string source = path_.string() + " (" + part_name(part) + ")";
    switch (part) {
      case ModelPart::kUNet:
        return {unet_config_text(kind_), source};
      case ModelPart::kControlNet:
        return {controlnet_config_text(kind_), source};
      case ModelPart::kVae:
        return {vae_config_text(), source};
      default:
        return {text_encoder_config_text(kind_), source};
    }
  }

  ConfigJson scheduler_config() const override {
    OriginalKind kind = kind_;
    if (!options_.prediction_type.empty()) {
      kind.prediction_type = options_.prediction_type;
    } else if (kind.version_2) {
      throw DataError(path_.string() +
                      ": a file of Stable Diffusion 2 does not say what its "
                      "UNet predicts; give prediction_type: v_prediction "
                      "(768 px models) or epsilon (the 512 px base)");
    }
    return {scheduler_config_text(kind), path_.string() + " (scheduler)"};
  }

  fs::path tokenizer_folder() const override {
    if (!options_.tokenizer.empty()) return options_.tokenizer;
    throw DataError(path_.string() +
                    ": a single file holds no tokenizer; give the folder of "
                    "its vocab.json and merges.txt");
  }

 protected:
  StateDict state(ModelPart part, const StateDict& own) const override {
    const std::string& start = prefix(part);
    std::vector<std::string> names;
    for (const auto& [name, tensor] : own) names.push_back(name);
    const OriginalNames originals = is_open_clip(part)
                                        ? open_clip_names(names)
                                        : original_names(part, names);
    StateDict state;
    std::set<std::string> used;
    for (const auto& [name, original] : originals) {
      const auto found = all_.find(start + original.name);
      if (found == all_.end()) continue;
      used.insert(found->first);
      const at::Tensor rows = rows_of_third(found->second, original.third);
      state[name] = without_pixels(rows, own.at(name));
    }
    for (const auto& [name, tensor] : all_) {
      const bool mine = starts_with(name, start) && !used.count(name);
      if (mine && !is_unused(part, name.substr(start.size()), own)) {
        state[name] = tensor;
      }
    }
    return state;
  }

  std::string source(ModelPart part) const override {
    return path_.string() + " (" + part_name(part) + ")";
  }

 private:
  const std::string& prefix(ModelPart part) const {
    const auto found = prefixes_.find(part);
    if (found != prefixes_.end()) return found->second;
    throw DataError(path_.string() + ": holds no " + part_name(part) +
                    "; take a file with the whole model, or give that part "
                    "from elsewhere");
  }

  bool is_open_clip(ModelPart part) const {
    return part == ModelPart::kTextEncoder && kind_.version_2;
  }

  bool is_unused(ModelPart part, const std::string& name,
                 const StateDict& own) const {
    if (part != ModelPart::kTextEncoder) return false;
    return is_open_clip(part) ? is_unused_open_clip(name, count_layers(own))
                              : name == "text_model.embeddings.position_ids";
  }

  // Keys that belong to no part, other than those known to be of no use.
  void refuse_strangers() const {
    std::string strangers;
    std::size_t averaged = 0;
    for (const auto& [name, tensor] : all_) {
      averaged += starts_with(name, kAveraged);
      const bool placed =
          starts_with(name, kAveraged) || kScheduleBuffers.count(name) ||
          std::any_of(prefixes_.begin(), prefixes_.end(), [&](const auto& p) {
            return starts_with(name, p.second);
          });
      if (!placed) strangers += "\n    " + name;
    }
    if (prefixes_.empty()) {
      throw DataError(path_.string() +
                      ": no Stable Diffusion model in the original naming; "
                      "its keys begin with " +
                      (all_.empty() ? "nothing" : all_.begin()->first));
    }
    if (!strangers.empty()) {
      throw DataError(path_.string() + ": keys of no known part:" + strangers);
    }
    if (averaged > 0) {
      log_info(path_.string() + ": " + std::to_string(averaged) +
               " averaged weights (model_ema) are not used");
    }
  }

  // Version and inputs, from the shapes of two weights.
  void find_kind() {
    for (const ModelPart part : {ModelPart::kUNet, ModelPart::kControlNet}) {
      if (!has(part)) continue;
      const at::Tensor& first =
          all_.at(prefix(part) + "input_blocks.0.0.weight");
      if (first.dim() == 4) kind_.in_channels = first.size(1);
      const auto text =
          all_.find(prefix(part) +
                    "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight");
      if (text == all_.end() || text->second.dim() != 2) continue;
      kind_.version_2 = text->second.size(1) == 1024;
    }
    const auto encoder = prefixes_.find(ModelPart::kTextEncoder);
    if (encoder != prefixes_.end()) {
      kind_.version_2 = encoder->second == "cond_stage_model.model.";
    }
  }

  fs::path path_;
  PretrainedOptions options_;
  StateDict all_;
  std::map<ModelPart, std::string> prefixes_;
  OriginalKind kind_;
};

}  // namespace

std::unique_ptr<Pretrained> open_original_file(
    const fs::path& file, const PretrainedOptions& options) {
  return std::make_unique<OriginalFile>(file, options);
}

}  // namespace sono
