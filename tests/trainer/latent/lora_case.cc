#include "tests/trainer/latent/lora_case.h"

#include "core/safetensors_header.h"
#include "models/io/safetensors.h"
#include "models/unet/config_file.h"
#include "tests/trainer/latent/mixed_values.h"

namespace sono {
namespace {

using nlohmann::json;

constexpr std::uint64_t kLatent = 1000000, kNoise = 2000000, kText = 3000000;

std::pair<json, json> metadata_of(const std::string& path) {
  const auto metadata = read_header(path).metadata;
  return {json::parse(metadata.at("case")), json::parse(metadata.at("unet"))};
}

std::vector<LoraTarget> targets(UNet& unet, const json& settings) {
  LoraConfig config;
  config.rank = settings.at("rank");
  config.alpha = settings.at("alpha");
  return choose_targets(unet, config, "unet", "lora");
}

}  // namespace

LoraCase::LoraCase(const std::string& path)
    : LoraCase(path, metadata_of(path)) {}

LoraCase::LoraCase(const std::string& path, std::pair<json, json> metadata)
    : fixture(load_safetensors(path)),
      settings(metadata.first),
      unet_json(metadata.second),
      unet(read_unet_config(ConfigJson(unet_json.dump(), path))),
      lora(unet, targets(unet, settings)) {
  fill_mixed(unet.named_parameters(), settings.at("scale"));
  fill_mixed(lora.named_parameters(), settings.at("scale"));
}

std::int64_t LoraCase::global_batch() const {
  return settings.at("batch").get<std::int64_t>() *
         settings.at("accumulation").get<std::int64_t>();
}

LatentTaskConfig LoraCase::task_config() const {
  LatentTaskConfig config;
  config.batch_size = global_batch();
  config.prediction = parse_prediction("prediction", settings.at("prediction"));
  config.min_snr_gamma = settings.at("snr_gamma");
  return config;
}

TrainConfig LoraCase::train_config() const {
  TrainConfig config;
  config.steps = settings.at("steps");
  config.batch_size = global_batch();
  config.lanes = settings.at("accumulation");
  config.learning_rate = settings.at("learning_rate");
  config.weight_decay = settings.at("weight_decay");
  config.clip_norm = settings.at("clip_norm");
  config.schedule = "cosine";
  config.warmup_steps = settings.at("warmup");
  return config;
}

LatentDraw LoraCase::draw(std::uint64_t sample) const {
  const std::vector<std::int64_t> shape = {4, settings.at("height"),
                                           settings.at("width")};
  LatentDraw draw;
  draw.latent = mixed(kLatent + sample, shape);
  draw.noise = 2 * mixed(kNoise + sample, shape);
  draw.timestep = static_cast<std::int64_t>((sample * 617 + 131) % 1000);
  draw.text = mixed(kText + sample,
                    {settings.at("tokens"), unet.config().cross_attention_dim});
  return draw;
}

}  // namespace sono
