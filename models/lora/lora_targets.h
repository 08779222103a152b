#pragma once
// The layers of a model that can have a low-rank addition, and the choice of
// those that get one.

#include <string>
#include <vector>

#include "models/lora/lora_config.h"
#include "models/nn/layers.h"

namespace sono {

// A Linear, or a Conv2d with one group; the other pointer is null.
struct LoraLayer {
  std::string path;
  Linear* linear = nullptr;
  Conv2d* conv = nullptr;

  at::Tensor weight() const;
  const LowRank*& low_rank() const;
  // Shapes of the addition's two tensors.
  std::vector<std::int64_t> down_shape(std::int64_t rank) const;
  std::vector<std::int64_t> up_shape(std::int64_t rank) const;
};

// In registration order.
std::vector<LoraLayer> lora_layers(Module& model);

struct LoraTarget {
  std::string path;
  std::int64_t rank = 0;
  double alpha = 0;
  bool rslora = false;

  double scale() const;
};

// In registration order. ConfigError naming a target or pattern that no layer
// of the model fits; `model_name` and `prefix` are for that message.
std::vector<LoraTarget> choose_targets(Module& model, const LoraConfig& config,
                                       const std::string& model_name,
                                       const std::string& prefix);

// Is `pattern` the end of `path`, part by part?
bool matches_path(const std::string& path, const std::string& pattern);

}  // namespace sono
