#pragma once
// One case of tests/parity/lora_training.py: its UNet, LoRA, samples and
// settings, and what came out of the peer.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "trainer/latent_task.h"
#include "trainer/train_config.h"

namespace sono {

struct LoraCase {
  explicit LoraCase(const std::string& path);

  LatentTaskConfig task_config() const;
  TrainConfig train_config() const;
  LatentDraw draw(std::uint64_t sample) const;
  std::int64_t global_batch() const;

  StateDict fixture;
  nlohmann::json settings, unet_json;
  UNet unet;
  LoraSet lora;

 private:
  LoraCase(const std::string& path,
           std::pair<nlohmann::json, nlohmann::json> metadata);
};

}  // namespace sono
