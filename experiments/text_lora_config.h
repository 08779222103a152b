#pragma once
// A LoRA on the text encoder beside the UNet's ([text_lora]).

#include <string>

#include "models/lora/lora_config.h"

namespace sono {

struct TextLoraConfig {
  LoraConfig lora{.targets = {}};  // no targets: the text encoder stays frozen
  double learning_rate = 0;        // peak; 0: as the UNet's

  bool trained() const { return !lora.targets.empty(); }
  // What the UNet's rate is multiplied with.
  double rate_factor(double unet_rate) const {
    return learning_rate > 0 ? learning_rate / unet_rate : 1;
  }
  // ConfigError naming the option; `unet_rate` is the UNet's learning rate.
  void validate(double unet_rate) const;
};

// Adds the options "text_lora.targets", ...
void describe(OptionTable& table, TextLoraConfig& config);

}  // namespace sono
