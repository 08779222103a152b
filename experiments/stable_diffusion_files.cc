#include "experiments/stable_diffusion_files.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/hash.h"
#include "models/io/weight_file.h"
#include "models/unet/config_file.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

// In order of preference.
const std::vector<std::string> kWeightNames = {
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "diffusion_pytorch_model.bin",
    "pytorch_model.bin"};

template <class Model>
void adopt(Model& model, const fs::path& weights) {
  model.adopt_state(map_weights(weights), weights.string());
  model.requires_grad(false);
}

}  // namespace

StableDiffusionFiles::StableDiffusionFiles(fs::path folder)
    : folder_(std::move(folder)) {
  for (const char* part :
       {"unet", "vae", "text_encoder", "tokenizer", "scheduler"}) {
    if (fs::is_directory(folder_ / part)) continue;
    throw ConfigError("option model.folder = " + folder_.string() +
                      ": has no folder " + part +
                      "; give a model as diffusers' save_pretrained writes it");
  }
}

fs::path StableDiffusionFiles::weights(const std::string& part) const {
  for (const std::string& name : kWeightNames) {
    if (fs::exists(folder_ / part / name)) return folder_ / part / name;
  }
  throw DataError((folder_ / part).string() +
                  ": holds no weights (looked for " + kWeightNames.front() +
                  " and the like)");
}

std::unique_ptr<UNet> StableDiffusionFiles::unet() const {
  auto model = std::make_unique<UNet>(
      read_unet_config(ConfigJson(folder_ / "unet" / "config.json")));
  adopt(*model, weights("unet"));
  return model;
}

std::unique_ptr<AutoencoderKL> StableDiffusionFiles::autoencoder() const {
  auto model = std::make_unique<AutoencoderKL>(
      read_autoencoder_config(ConfigJson(folder_ / "vae" / "config.json")));
  adopt(*model, weights("vae"));
  return model;
}

std::unique_ptr<ClipTextModel> StableDiffusionFiles::text_encoder() const {
  auto model = std::make_unique<ClipTextModel>(ClipTextConfig::read(
      ConfigJson(folder_ / "text_encoder" / "config.json")));
  adopt(*model, weights("text_encoder"));
  return model;
}

ClipTokenizer StableDiffusionFiles::tokenizer() const {
  return ClipTokenizer(folder_ / "tokenizer");
}

SchedulerFile StableDiffusionFiles::scheduler() const {
  return read_scheduler_file(folder_ / "scheduler" / "scheduler_config.json");
}

std::string StableDiffusionFiles::hash(const std::string& part) const {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder_ / part)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::string all;
  for (const fs::path& file : files) {
    all += file.filename().string() + " " + sha256_file(file) + "\n";
  }
  return sha256_hex(all);
}

}  // namespace sono
