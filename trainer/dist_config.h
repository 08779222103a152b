#pragma once
// Settings of data-parallel training: how gradients are summed and what is
// sharded.

#include <string>

#include "core/option.h"
#include "dist/arena.h"
#include "dist/reducer/gradient_reducer.h"

namespace sono {

struct DistConfig {
  std::string reduce = "exact";  // exact | fast
  std::string wire = "fp32";     // fp32 | bf16 (fast only)
  int zero_stage = 1;            // 0 to 3
  double bucket_mb = 25;         // MiB
  double first_bucket_mb = 1;    // MiB
  bool overlap = true;
  bool recompute = false;  // blocks run again in backward; stage 3 implies it

  // ConfigError naming the option that is out of range.
  void validate() const;

  ReducerOptions reducer_options(int lanes) const;
  BucketOptions bucket_options() const;
};

// Adds the options "dist.reduce", ...
void describe(OptionTable& table, DistConfig& config);

}  // namespace sono
