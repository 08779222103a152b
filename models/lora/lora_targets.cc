#include "models/lora/lora_targets.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/check.h"

namespace sono {
namespace {

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t dot = path.find('.', begin);
    parts.push_back(path.substr(begin, dot - begin));
    if (dot == std::string::npos) return parts;
    begin = dot + 1;
  }
}

bool has_part(const std::string& path, const std::string& part) {
  const auto parts = parts_of(path);
  return std::find(parts.begin(), parts.end(), part) != parts.end();
}

bool is_pointwise(const LoraLayer& layer) {
  return layer.linear != nullptr || layer.conv->options().kernel == 1;
}

// What stands before ".transformer_blocks" in any path: the Transformer2DModels
// of the tree.
std::vector<std::string> transformers(const std::vector<LoraLayer>& layers) {
  std::vector<std::string> paths;
  for (const LoraLayer& layer : layers) {
    const auto at = layer.path.find(".transformer_blocks.");
    if (at == std::string::npos) continue;
    const std::string path = layer.path.substr(0, at + 1);
    if (paths.empty() || paths.back() != path) paths.push_back(path);
  }
  return paths;
}

bool in_attention(const LoraLayer& layer) {
  constexpr std::array kEnds = {"to_q",   "to_k",   "to_v",   "to_out.0",
                                "q_proj", "k_proj", "v_proj", "out_proj"};
  return layer.linear != nullptr &&
         std::any_of(kEnds.begin(), kEnds.end(), [&](const char* end) {
           return matches_path(layer.path, end);
         });
}

bool in_transformer(const LoraLayer& layer,
                    const std::vector<std::string>& transformer_paths) {
  if (!is_pointwise(layer)) return false;
  const bool in_unet = std::any_of(
      transformer_paths.begin(), transformer_paths.end(),
      [&](const std::string& path) { return layer.path.rfind(path, 0) == 0; });
  return in_unet || has_part(layer.path, "self_attn") ||
         has_part(layer.path, "mlp");
}

bool in_convolutions(const LoraLayer& layer) {
  return has_part(layer.path, "resnets") ||
         has_part(layer.path, "downsamplers") ||
         has_part(layer.path, "upsamplers");
}

bool fits(const LoraLayer& layer, const std::string& target,
          const std::vector<std::string>& transformer_paths) {
  if (target == "attention") return in_attention(layer);
  if (target == "attention+ff") return in_transformer(layer, transformer_paths);
  if (target == "conv") return in_convolutions(layer);
  return matches_path(layer.path, target);
}

// The value of the first pattern that fits each path. Every pattern must fit
// some layer, even if an earlier one takes it.
class Patterns {
 public:
  Patterns(std::string option, const std::vector<std::string>& entries)
      : option_(std::move(option)) {
    for (const auto& entry : entries) {
      patterns_.push_back(parse_pattern_value(option_, entry));
    }
    used_.resize(patterns_.size());
  }

  double find(const std::string& path, double fallback) {
    bool found = false;
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
      if (!matches_path(path, patterns_[i].pattern)) continue;
      if (!found) fallback = patterns_[i].value;
      found = used_[i] = true;
    }
    return fallback;
  }

  void check_used(const std::string& model_name) const {
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
      if (used_[i]) continue;
      throw ConfigError("option " + option_ + ": no chosen layer of the " +
                        model_name + " fits '" + patterns_[i].pattern + "'");
    }
  }

 private:
  std::string option_;
  std::vector<PatternValue> patterns_;
  std::vector<bool> used_;
};

}  // namespace

at::Tensor LoraLayer::weight() const {
  return linear ? linear->weight : conv->weight;
}

const LowRank*& LoraLayer::low_rank() const {
  return linear ? linear->low_rank : conv->low_rank;
}

std::vector<std::int64_t> LoraLayer::down_shape(std::int64_t rank) const {
  std::vector<std::int64_t> shape = weight().sizes().vec();
  shape[0] = rank;
  return shape;
}

std::vector<std::int64_t> LoraLayer::up_shape(std::int64_t rank) const {
  const std::int64_t out = weight().size(0);
  if (linear) return {out, rank};
  return {out, rank, 1, 1};
}

std::vector<LoraLayer> lora_layers(Module& model) {
  std::vector<LoraLayer> layers;
  for (const auto& [path, module] : model.named_modules()) {
    LoraLayer layer{path, dynamic_cast<Linear*>(module),
                    dynamic_cast<Conv2d*>(module)};
    if (layer.conv && layer.conv->options().groups != 1) continue;
    if (layer.linear || layer.conv) layers.push_back(layer);
  }
  return layers;
}

double LoraTarget::scale() const {
  const auto r = static_cast<double>(rank);
  return alpha / (rslora ? std::sqrt(r) : r);
}

bool matches_path(const std::string& path, const std::string& pattern) {
  const auto parts = parts_of(path), wanted = parts_of(pattern);
  if (wanted.size() > parts.size()) return false;
  return std::equal(wanted.rbegin(), wanted.rend(), parts.rbegin(),
                    [](const std::string& want, const std::string& part) {
                      return want == "*" || want == part;
                    });
}

std::vector<LoraTarget> choose_targets(Module& model, const LoraConfig& config,
                                       const std::string& model_name,
                                       const std::string& prefix) {
  config.validate(prefix);
  const auto layers = lora_layers(model);
  const auto transformer_paths = transformers(layers);
  Patterns ranks(prefix + ".rank_pattern", config.rank_pattern);
  Patterns alphas(prefix + ".alpha_pattern", config.alpha_pattern);
  std::vector<bool> used(config.targets.size());
  std::vector<LoraTarget> chosen;
  for (const LoraLayer& layer : layers) {
    bool wanted = false;
    for (std::size_t i = 0; i < used.size(); ++i) {
      if (!fits(layer, config.targets[i], transformer_paths)) continue;
      wanted = used[i] = true;
    }
    if (!wanted) continue;
    const double rank = ranks.find(layer.path, config.rank);
    const double alpha =
        alphas.find(layer.path, config.alpha > 0 ? config.alpha : rank);
    chosen.push_back(
        {layer.path, static_cast<std::int64_t>(rank), alpha, config.rslora});
  }
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (used[i]) continue;
    throw ConfigError("option " + prefix + ".targets: no layer of the " +
                      model_name + " fits '" + config.targets[i] +
                      "'; take attention, attention+ff, conv, or the end of a "
                      "module's path");
  }
  ranks.check_used(model_name);
  alphas.check_used(model_name);
  return chosen;
}

}  // namespace sono
