#pragma once
// What of a model gets a low-rank addition, and how strong a one.

#include <string>
#include <vector>

#include "core/option.h"

namespace sono {

struct LoraConfig {
  // Named sets and patterns. Sets, of which a layer need be in one only:
  //   attention     to_q to_k to_v to_out.0 (CLIP: q_proj k_proj v_proj
  //                 out_proj): what diffusers' script trains
  //   attention+ff  every Linear and 1x1 convolution in a Transformer2DModel
  //                 (CLIP: self_attn and mlp): what kohya's trains
  //   conv          every Linear and convolution of the resnets, down- and
  //                 upsamplers: kohya's with a conv dimension
  // A pattern is the end of a module's path, "attn2.to_k"; * is any one part.
  std::vector<std::string> targets{"attention"};
  int rank = 16;
  double alpha = 0;  // scale = alpha / rank; 0: as large as each layer's rank
  // "PATTERN:VALUE" for layers of another rank or alpha; the first that
  // matches counts.
  std::vector<std::string> rank_pattern{};
  std::vector<std::string> alpha_pattern{};
  double dropout = 0;   // of the branch's input, while training
  bool rslora = false;  // scale = alpha / sqrt(rank) (Kalajdzievski 2023)
  // How down starts; up starts at zero, so training starts at the model.
  std::string init = "gaussian";  // N(0, 1/rank), or "kaiming": torch's default

  // ConfigError naming "prefix.key".
  void validate(const std::string& prefix) const;
};

// Adds the options "prefix.targets", ...
void describe(OptionTable& table, const std::string& prefix, LoraConfig& config,
              OptionKind kind = OptionKind::kResult);

// The two parts of "PATTERN:VALUE"; ConfigError naming `option`.
struct PatternValue {
  std::string pattern;
  double value = 0;
};
PatternValue parse_pattern_value(const std::string& option,
                                 const std::string& text);

}  // namespace sono
