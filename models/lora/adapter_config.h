#pragma once
// The part of peft's LoraConfig that decides what a LoRA's weights mean: as
// adapter_config.json, and as the header entry "lora_adapter_metadata" of
// diffusers' files (there with the model's name before each field).

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "models/lora/lora_set.h"

namespace sono {

class AdapterConfig {
 public:
  // DataError naming `source` for fields of the wrong type, patterns that are
  // real regular expressions, and kinds of adapter that are no plain LoRA.
  AdapterConfig(const nlohmann::json& json, const std::string& source);

  // Of the layer at `path`.
  double alpha(const std::string& path) const;
  double rank(const std::string& path) const;
  bool rslora() const { return rslora_; }

 private:
  struct Pattern {
    std::string path;
    bool whole;  // the path must be equal, not only end so
    double value;
  };
  using Patterns = std::vector<Pattern>;
  Patterns patterns(const nlohmann::json& json, const char* field) const;
  static double find(const Patterns& patterns, const std::string& path,
                     double fallback);

  std::string source_;
  double rank_ = 0;
  double alpha_ = 0;
  bool rslora_ = false;
  Patterns ranks_, alphas_;
};

// peft's fields for a set. `model` is "unet" or "text_encoder".
nlohmann::json adapter_config(const LoraSet& lora, const std::string& model);

}  // namespace sono
