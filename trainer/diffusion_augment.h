#pragma once
// Light random changes of a pair that keep it a plausible scan.

#include <ATen/ATen.h>

#include <string>

#include "core/option.h"
#include "core/random.h"

namespace sono {

struct DiffusionAugmentConfig {
  bool flip = true;             // left to right, half of the views
  double max_shift = 0.04;      // of the width and height
  double max_zoom = 0.08;       // 1 - z .. 1 + z
  double max_rotation_deg = 8;  // either way
  double max_gain = 0.15;       // grey values times 1 - g .. 1 + g

  // ConfigError naming "prefix.key".
  void validate(const std::string& prefix) const;
};

// Adds the options "prefix.flip", ...
void describe(OptionTable& table, const std::string& prefix,
              DiffusionAugmentConfig& config);

struct DiffusionPair {
  at::Tensor image;  // fp32 [1, H, W] in [-1, 1]; -1 is black
  at::Tensor mask;   // fp32 [1, H, W], 0 or 1
};

// The pair moved as one; what enters from outside is black and unlabelled.
DiffusionPair augment(const DiffusionPair& pair,
                      const DiffusionAugmentConfig& config, Random& random);

}  // namespace sono
