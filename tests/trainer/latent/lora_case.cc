#include "tests/trainer/latent/lora_case.h"

#include "core/safetensors_header.h"
#include "models/io/safetensors.h"
#include "models/unet/config_file.h"
#include "tests/trainer/latent/mixed_values.h"

namespace sono {
namespace {

using nlohmann::json;

constexpr std::uint64_t kLatent = 1000000, kNoise = 2000000, kText = 3000000;

std::vector<LoraTarget> targets(Module& model, const json& settings,
                                const std::string& prefix) {
  LoraConfig config;
  config.rank = settings.at(prefix + "rank");
  config.alpha = settings.at(prefix + "alpha");
  return choose_targets(model, config, "model", "lora");
}

void add(NamedTensors& all, const std::string& prefix, const LoraSet& lora) {
  for (const auto& [name, tensor] : lora.named_parameters()) {
    all.emplace_back(prefix + name, tensor);
  }
}

}  // namespace

LoraCase::LoraCase(const std::string& path)
    : LoraCase(path, read_header(path).metadata) {}

LoraCase::LoraCase(const std::string& path, const Metadata& metadata)
    : fixture(load_safetensors(path)),
      settings(json::parse(metadata.at("case"))),
      unet(read_unet_config(ConfigJson(metadata.at("unet"), path))),
      lora(unet, targets(unet, settings, "")) {
  fill_mixed(unet.named_parameters(), settings.at("scale"));
  if (settings.value("base_dtype", "") == "bfloat16") {
    unet.adopt_state(unet.state(), path, at::kBFloat16);
  }
  fill_mixed(lora.named_parameters(), settings.at("scale"));
  if (settings.contains("text_rank")) {
    make_text_encoder(metadata.at("text_encoder"));
  }
}

void LoraCase::make_text_encoder(const std::string& config) {
  text_encoder = std::make_unique<ClipTextModel>(
      ClipTextConfig::read(ConfigJson(config, "text_encoder")));
  text_lora = std::make_unique<LoraSet>(
      *text_encoder, targets(*text_encoder, settings, "text_"));
  fill_mixed(text_encoder->named_parameters(), settings.at("scale"));
  fill_mixed(text_lora->named_parameters(), settings.at("scale"));
}

LatentNetworks LoraCase::networks() {
  return {.unet = unet,
          .lora = &lora,
          .text_encoder = text_encoder.get(),
          .text_lora = text_lora.get()};
}

NamedTensors LoraCase::trained() const {
  NamedTensors all;
  add(all, "", lora);
  if (text_lora) add(all, "text.", *text_lora);
  return all;
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
  config.text_rate_factor = settings.value("text_rate_factor", 1.0);
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
  const std::int64_t tokens = settings.at("tokens");
  if (!text_encoder) {
    draw.text =
        mixed(kText + sample, {tokens, unet.config().cross_attention_dim});
    return draw;
  }
  const at::Tensor place = at::arange(tokens, at::kLong);
  draw.text =
      (static_cast<std::int64_t>(sample) * 31 + 7 * place * place + place) %
      text_encoder->config().vocab_size;
  return draw;
}

}  // namespace sono
