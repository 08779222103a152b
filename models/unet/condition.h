#pragma once
// What the layers of a UNet are told beside their feature map, and what of it
// can be computed once: the keys and values of a prompt, and the time's
// projections for a whole schedule. Both are optional and give the result that
// is computed without them; they hold while the weights stay as they are, and
// no gradient goes through them.

#include <ATen/ATen.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "models/nn/module.h"

namespace sono {

struct KeyValue {
  at::Tensor key, value;  // [B, T, heads * head size]
};

// The prompts of a batch. Made by UNet::prepare_text or by hand with `tokens`
// alone.
struct TextContext {
  at::Tensor tokens;  // [B, T, text width], the text encoder's hidden states
  // By the attention that wants them; empty where nothing was prepared.
  std::unordered_map<const Module*, KeyValue> prepared{};
};

// The timesteps of a schedule. Made by UNet::prepare_times.
struct TimeTable {
  std::vector<std::int64_t> timesteps;
  // By the resnet that adds it: [timesteps, channels].
  std::unordered_map<const Module*, at::Tensor> shifts{};
};

// For every layer of one call.
struct LayerCondition {
  at::Tensor time{};  // [B, time channels], through SiLU
  const TextContext* text = nullptr;
  const TimeTable* times = nullptr;  // in place of `time`
  std::int64_t step = 0;             // row of `times`
};

}  // namespace sono
