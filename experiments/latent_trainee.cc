#include "experiments/latent_trainee.h"

#include "core/atomic_file.h"
#include "core/check.h"
#include "core/error.h"
#include "models/io/safetensors.h"
#include "models/nn/frozen.h"
#include "models/unet/config_file.h"
#include "models/vae/autoencoder_kl.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

constexpr std::int64_t kMaskChannels = 1;  // of concat
constexpr char kWeight[] = "conv_in.weight";
constexpr char kBias[] = "conv_in.bias";

// Of the latents that a UNet denoises; one that sees more (inpainting) cannot
// be told from noise alone.
void check_plain(const UNetConfig& unet) {
  if (unet.in_channels == unet.out_channels) return;
  throw ConfigError(
      "the model's UNet takes " + std::to_string(unet.in_channels) +
      " channels and gives " + std::to_string(unet.out_channels) +
      ": it was made for inpainting or another condition, which is not "
      "trained here; take a text-to-image model");
}

at::Tensor parameter(const UNet& unet, const char* name) {
  return unet.state().at(name).detach();
}

}  // namespace

LatentTrainee::LatentTrainee(const Pretrained& model,
                             const LatentTraineeOptions& options)
    : model_(model),
      options_(options),
      unet_(read_unet_config(model.config(ModelPart::kUNet))) {
  check_plain(unet_.config());
  if (options_.guidance == MaskGuidance::kControlNet) {
    const auto vae = read_autoencoder_config(model.config(ModelPart::kVae));
    control_ = std::make_unique<ControlNet>(
        controlnet_config_of(unet_.config(), vae.downscale()));
    return;
  }
  targets_ = choose_targets(unet_, options_.lora, "unet", "lora");
  if (!options_.text_lora.trained()) return;
  text_encoder_ = std::make_unique<ClipTextModel>(
      ClipTextConfig::read(model.config(ModelPart::kTextEncoder)));
  text_targets_ = choose_targets(*text_encoder_, options_.text_lora.lora,
                                 "text encoder", "text_lora");
}

void LatentTrainee::load() {
  model_.load(ModelPart::kUNet, unet_, options_.base_dtype);
  prepare_frozen(unet_, options_.frozen_bytes);
  if (control_) {
    control_->start_from(unet_, options_.seed);
    return;
  }
  const auto start = [this](Module& module,
                            const std::vector<LoraTarget>& targets,
                            const LoraConfig& config) {
    auto lora = std::make_unique<LoraSet>(module, targets, config.init);
    lora->initialize(options_.seed);
    lora->set_dropout(config.dropout, options_.seed);
    return lora;
  };
  lora_ = start(unet_, targets_, options_.lora);
  if (options_.guidance == MaskGuidance::kConcat) {
    unet_.add_input_channels(kMaskChannels);
  }
  if (!text_encoder_) return;
  model_.load(ModelPart::kTextEncoder, *text_encoder_, options_.base_dtype);
  prepare_frozen(*text_encoder_, /*max_bytes=*/0);
  text_lora_ = start(*text_encoder_, text_targets_, options_.text_lora.lora);
}

LatentNetworks LatentTrainee::networks() {
  SONO_CHECK(lora_ || control_, "nothing is loaded");
  return {unet_,
          lora_.get(),
          control_.get(),
          text_encoder_.get(),
          text_lora_.get(),
          options_.clip_skip};
}

void LatentTrainee::use_average(LatentTask& task, const fs::path& checkpoint) {
  const at::NoGradGuard no_grad;
  const StateDict averaged = load_safetensors(checkpoint / "ema.safetensors");
  for (auto& [name, tensor] : task.parameters()) {
    tensor.copy_(averaged.at(name));
  }
}

void LatentTrainee::save(LoraDialect dialect, const fs::path& folder) const {
  make_directories(folder);
  if (control_) {
    write_file_atomic(
        folder / "config.json",
        controlnet_json(control_->control_config()).dump(2) + "\n");
    save_safetensors(folder / "diffusion_pytorch_model.safetensors",
                     control_->state(), {{"format", "pt"}});
    return;
  }
  NamedLoras loras = {{"unet", lora_.get()}};
  if (text_lora_) loras.emplace_back("text_encoder", text_lora_.get());
  save_lora(dialect, folder, loras);
  const at::Tensor added = unet_.added_input_weight();
  if (!added.defined()) return;
  const at::Tensor own = parameter(unet_, kWeight).to(at::kFloat);
  save_safetensors(folder / kWideInputFile,
                   {{kWeight, at::cat({own, added.detach()}, 1)},
                    {kBias, parameter(unet_, kBias).to(at::kFloat)}},
                   {{"format", "pt"}});
}

void load_wide_input(UNet& unet, const fs::path& file) {
  const at::NoGradGuard no_grad;
  const StateDict state = load_safetensors(file);
  const at::Tensor own = parameter(unet, kWeight).to(at::kFloat);
  const auto found = state.find(kWeight);
  const std::int64_t channels = own.size(1);
  bool fits = found != state.end() && found->second.dim() == 4 &&
              found->second.size(0) == own.size(0) &&
              found->second.size(1) == channels + kMaskChannels &&
              found->second.sizes().slice(2) == own.sizes().slice(2);
  // One that was trained on bf16 weights holds them rounded.
  constexpr double kRounding = 1.0 / 128;
  fits = fits && at::allclose(found->second.narrow(1, 0, channels), own,
                              kRounding, /*atol=*/1e-6);
  if (!fits) {
    throw DataError(file.string() + ": holds no " + kWeight +
                    " that goes on from this model's; take the model that it "
                    "was trained on");
  }
  if (!unet.added_input_weight().defined()) {
    unet.add_input_channels(kMaskChannels);
  }
  unet.added_input_weight().copy_(
      found->second.narrow(1, channels, kMaskChannels));
}

}  // namespace sono
