#pragma once
// Settings of the training loop, the same for every task.

#include <cstdint>
#include <string>

#include "core/option.h"
#include "dist/optimizer.h"
#include "trainer/dist_config.h"

namespace sono {

struct TrainConfig {
  std::int64_t steps = 1000;        // optimiser steps
  std::int64_t batch_size = 8;      // samples a step, over all ranks
  int lanes = 8;                    // fixed cut of the batch; caps ranks
  std::string optimizer = "adamw";  // adam | adamw | sgd
  double learning_rate = 1e-4;      // peak
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
  double clip_norm = 1.0;               // global L2 norm; 0 = off
  std::string schedule = "constant";    // constant | cosine
  std::int64_t warmup_steps = 0;        // linear
  double ema_decay = 0.0;               // 0 = no moving average
  double ema_power = 0.0;               // see OptimizerOptions
  std::int64_t ema_begin = 0;           // updates
  std::int64_t checkpoint_every = 200;  // steps; 0 = only at the end
  std::uint64_t seed = 0;
  DistConfig dist;  // options of its own, shared by all trainings

  // ConfigError naming "prefix.key" for a value out of range.
  void validate(const std::string& prefix) const;

  OptimizerOptions optimizer_options() const;
  // Of a single rank; rank and world size are the caller's to set.
  ArenaOptions arena_options() const;
};

// Adds the options "prefix.steps", "prefix.batch_size", ...
void describe(OptionTable& table, const std::string& prefix,
              TrainConfig& config);

}  // namespace sono
