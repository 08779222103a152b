#include "trainer/train_config.h"

namespace sono {

void TrainConfig::validate(const std::string& prefix) const {
  const auto range = [&](const char* key, double value, double low,
                         double high) {
    check_range(prefix + "." + key, value, low, high);
  };
  range("steps", static_cast<double>(steps), 1, 1e9);
  range("batch_size", static_cast<double>(batch_size), 1, 1e6);
  range("lanes", lanes, 1, 4096);
  check_choice(prefix + ".optimizer", optimizer, {"adam", "adamw", "sgd"});
  range("learning_rate", learning_rate, 0, 10);
  range("beta1", beta1, 0, 0.999999);
  range("beta2", beta2, 0, 0.999999);
  range("eps", eps, 1e-20, 1);
  range("weight_decay", weight_decay, 0, 10);
  range("clip_norm", clip_norm, 0, 1e9);
  check_choice(prefix + ".schedule", schedule, {"constant", "cosine"});
  range("warmup_steps", static_cast<double>(warmup_steps), 0,
        static_cast<double>(steps));
  range("ema_decay", ema_decay, 0, 0.9999999);
  range("ema_power", ema_power, 0, 10);
  range("ema_begin", static_cast<double>(ema_begin), 0, 1e9);
  range("checkpoint_every", static_cast<double>(checkpoint_every), 0, 1e9);
}

OptimizerOptions TrainConfig::optimizer_options() const {
  return {optimizer, beta1,     beta2,     eps,      weight_decay,
          clip_norm, ema_decay, ema_power, ema_begin};
}

ArenaOptions TrainConfig::arena_options() const {
  ArenaOptions options;
  options.with_ema = ema_decay > 0;
  options.with_second_moment = optimizer != "sgd";
  options.zero_stage = dist.zero_stage;
  options.buckets = dist.bucket_options();
  return options;
}

void describe(OptionTable& table, const std::string& prefix,
              TrainConfig& config) {
  const auto add = [&](const char* key, auto* field, const char* help,
                       OptionKind kind = OptionKind::kResult) {
    table.add(prefix + "." + key, field, kind, help);
  };
  add("steps", &config.steps, "optimiser steps");
  add("batch_size", &config.batch_size, "samples a step, over all ranks");
  add("lanes", &config.lanes,
      "parts of the batch whose gradients are added as a fixed tree; more "
      "ranks than lanes do not help");
  add("optimizer", &config.optimizer, "adam, adamw or sgd");
  add("learning_rate", &config.learning_rate, "peak learning rate");
  add("beta1", &config.beta1,
      "decay of the gradient's average; momentum of sgd");
  add("beta2", &config.beta2, "decay of the squared gradient's average");
  add("eps", &config.eps, "added to the denominator of Adam");
  add("weight_decay", &config.weight_decay,
      "decoupled for adamw, L2 for adam and sgd");
  add("clip_norm", &config.clip_norm,
      "global gradient norm above which gradients are scaled; 0 = off");
  add("schedule", &config.schedule,
      "constant or cosine (to 0 at the last step)");
  add("warmup_steps", &config.warmup_steps, "steps of linear warm-up");
  add("ema_decay", &config.ema_decay,
      "decay of the weights' moving average, with warm-up; 0 = none");
  add("ema_power", &config.ema_power,
      "the decay rises as 1 - (1 + s)^-power; 0 = as (1 + s) / (10 + s)",
      OptionKind::kAddedResult);
  add("ema_begin", &config.ema_begin,
      "updates before the moving average begins", OptionKind::kAddedResult);
  add("checkpoint_every", &config.checkpoint_every,
      "steps between checkpoints; 0 = only at the end", OptionKind::kSpeed);
}

}  // namespace sono
