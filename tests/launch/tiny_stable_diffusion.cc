#include "tests/launch/tiny_stable_diffusion.h"

#include "core/atomic_file.h"
#include "models/io/safetensors.h"
#include "models/text/clip_text_model.h"
#include "models/unet/config_file.h"
#include "models/unet/unet.h"
#include "models/vae/autoencoder_kl.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

constexpr char kUNet[] = R"({"_class_name": "UNet2DConditionModel",
 "in_channels": 4, "out_channels": 4, "block_out_channels": [8, 16],
 "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
 "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
 "layers_per_block": 1, "cross_attention_dim": 8, "attention_head_dim": 2,
 "norm_num_groups": 4, "sample_size": 16})";
constexpr char kAutoencoder[] = R"({"_class_name": "AutoencoderKL",
 "in_channels": 3, "out_channels": 3, "latent_channels": 4,
 "block_out_channels": [4, 8], "layers_per_block": 1, "norm_num_groups": 2,
 "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
 "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"]})";
constexpr char kText[] = R"({"architectures": ["CLIPTextModel"],
 "vocab_size": 814, "hidden_size": 8, "intermediate_size": 16,
 "num_hidden_layers": 2, "num_attention_heads": 2})";
// As the published model has it, a class that is no sampler here.
constexpr char kScheduler[] = R"({"_class_name": "PNDMScheduler",
 "skip_prk_steps": true, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
 "num_train_timesteps": 1000, "clip_sample": false, "set_alpha_to_one": false,
 "steps_offset": 1})";

template <class Model>
void write_part(const fs::path& folder, const char* config, Model& model,
                const std::string& weights) {
  fs::create_directories(folder);
  write_file_atomic(folder / "config.json", config);
  model.initialize(7);
  save_safetensors(folder / weights, model.state());
}

}  // namespace

void write_tiny_stable_diffusion(const fs::path& folder) {
  UNet unet(read_unet_config(ConfigJson(kUNet, "unet")));
  write_part(folder / "unet", kUNet, unet,
             "diffusion_pytorch_model.safetensors");
  AutoencoderKL vae(read_autoencoder_config(ConfigJson(kAutoencoder, "vae")));
  write_part(folder / "vae", kAutoencoder, vae,
             "diffusion_pytorch_model.safetensors");
  ClipTextModel text(ClipTextConfig::read(ConfigJson(kText, "text")));
  write_part(folder / "text_encoder", kText, text, "model.safetensors");
  fs::create_directories(folder / "tokenizer");
  for (const char* name : {"vocab.json", "merges.txt"}) {
    fs::copy(SONO_SOURCE_DIR "/tests/parity/fixtures/clip_tokenizer/" +
                 std::string(name),
             folder / "tokenizer" / name);
  }
  fs::create_directories(folder / "scheduler");
  write_file_atomic(folder / "scheduler" / "scheduler_config.json", kScheduler);
}

}  // namespace sono
