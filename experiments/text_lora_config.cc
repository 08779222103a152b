#include "experiments/text_lora_config.h"

#include "core/error.h"

namespace sono {

void TextLoraConfig::validate(double unet_rate) const {
  check_range("text_lora.learning_rate", learning_rate, 0, 10);
  if (!trained()) return;
  lora.validate("text_lora");
  if (learning_rate > 0 && unet_rate == 0) {
    throw ConfigError(
        "option text_lora.learning_rate needs a learning rate of the UNet's "
        "LoRA above 0, whose schedule it follows");
  }
}

void describe(OptionTable& table, TextLoraConfig& config) {
  describe(table, "text_lora", config.lora, OptionKind::kAddedResult);
  table.add("text_lora.learning_rate", &config.learning_rate,
            OptionKind::kAddedResult,
            "peak, on the UNet's schedule; 0: as the UNet's");
}

}  // namespace sono
