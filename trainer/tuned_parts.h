#pragma once
// What a tuning of a SAM changes.

#include <string>

namespace sono {

enum class TunedParts {
  kDecoder,         // the mask decoder alone, as Wang et al. 2025
  kDecoderAndLora,  // and a low-rank addition to the image encoder
  kWhole            // and the image encoder itself, as MedSAM (Ma et al. 2024)
};

// "decoder", "lora" or "whole"; ConfigError naming `option`.
TunedParts parse_tuned_parts(const std::string& option,
                             const std::string& text);

}  // namespace sono
