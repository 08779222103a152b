#pragma once
// One case of tests/parity/lora_training.py: its UNet and text encoder, LoRAs,
// samples and settings, and what came out of the peer.

#include <filesystem>
#include <map>
#include <memory>
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
  LatentNetworks networks();
  // Of the LoRAs, by their names in the fixture behind "grad." or "final.".
  NamedTensors trained() const;

  StateDict fixture;
  nlohmann::json settings;
  UNet unet;
  LoraSet lora;
  std::unique_ptr<ClipTextModel> text_encoder;  // where it is trained
  std::unique_ptr<LoraSet> text_lora;

 private:
  using Metadata = std::map<std::string, std::string>;
  LoraCase(const std::string& path, const Metadata& metadata);
  void make_text_encoder(const std::string& config);
};

}  // namespace sono
