// What tests/parity/full/lora_files.py asks of the C++: writes LoRAs of given
// kinds on a UNet and a text encoder's layers, reads those of others, and says
// what the UNet makes of each.
//
//   lora_peer DIR
//
// DIR/unet, DIR/text_encoder: models as diffusers saves them. DIR/inputs:
// sample, timesteps, text. DIR/cases.json: what to write, to DIR/ours/CASE.
// DIR/theirs/NAME: what to read.

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "models/io/safetensors.h"
#include "models/lora/lora_file.h"
#include "models/unet/config_file.h"
#include "models/unet/unet.h"
#include "tests/trainer/latent/mixed_values.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

using nlohmann::json;

// The linear layers of a text encoder's file; only their names and shapes
// count.
struct TextLayers : Module {
  explicit TextLayers(const StateDict& state) {
    for (const auto& [name, tensor] : state) {
      const std::string end = ".weight";
      if (!name.ends_with(end) || tensor.dim() != 2) continue;
      const std::string path = name.substr(0, name.size() - end.size());
      if (path.find("layers.") == path.npos) continue;
      layers.push_back(
          std::make_unique<Linear>(tensor.size(1), tensor.size(0)));
      add_module(path, *layers.back());
    }
  }
  std::vector<std::unique_ptr<Linear>> layers;
};

class Peer {
 public:
  explicit Peer(fs::path dir)
      : dir_(std::move(dir)),
        unet_(read_unet_config(ConfigJson(dir_ / "unet" / "config.json"))),
        text_(load_safetensors(dir_ / "text_encoder" / "model.safetensors")),
        inputs_(load_safetensors(dir_ / "inputs.safetensors")) {
    const fs::path weights =
        dir_ / "unet" / "diffusion_pytorch_model.safetensors";
    unet_.load_state(load_safetensors(weights), weights.string());
  }

  void run() {
    for (const json& wanted : json::parse(read_file(dir_ / "cases.json"))) {
      write_case(wanted);
    }
    for (const auto& entry : fs::directory_iterator(dir_ / "theirs")) {
      const auto loras = attach_lora(read_lora(entry.path()), models());
      save_output(entry.path() / "seen.safetensors");
    }
  }

 private:
  NamedModels models() { return {{"unet", &unet_}, {"text_encoder", &text_}}; }

  void save_output(const fs::path& path) const {
    const at::NoGradGuard no_grad;
    UNetCondition condition;
    condition.text = inputs_.at("text");
    save_safetensors(
        path, {{"output", unet_(inputs_.at("sample"), inputs_.at("timesteps"),
                                condition)}});
  }

  void write_case(const json& wanted) {
    const LoraConfig config{.targets = wanted.at("targets"),
                            .rank = wanted.at("rank"),
                            .alpha = wanted.at("alpha"),
                            .rank_pattern = wanted.at("rank_pattern"),
                            .alpha_pattern = wanted.at("alpha_pattern"),
                            .rslora = wanted.at("rslora")};
    LoraSet lora(unet_, choose_targets(unet_, config, "unet", "lora"));
    fill_mixed(lora.named_parameters(), wanted.at("scale"));
    NamedLoras loras = {{"unet", &lora}};
    std::unique_ptr<LoraSet> text;
    if (wanted.at("text_rank") > 0) {
      LoraConfig text_config{.targets = wanted.at("text_targets"),
                             .rank = wanted.at("text_rank")};
      text = std::make_unique<LoraSet>(
          text_, choose_targets(text_, text_config, "text encoder", "lora"));
      fill_mixed(text->named_parameters(), wanted.at("scale"));
      loras.emplace_back("text_encoder", text.get());
    }
    const fs::path folder =
        dir_ / "ours" / wanted.at("name").get<std::string>();
    for (const LoraDialect dialect :
         {LoraDialect::kDiffusers, LoraDialect::kPeft, LoraDialect::kKohya}) {
      save_lora(dialect, folder / to_string(dialect), loras);
    }
    save_output(folder / "output.safetensors");
  }

  fs::path dir_;
  UNet unet_;
  TextLayers text_;
  StateDict inputs_;
};

}  // namespace
}  // namespace sono

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: lora_peer DIR\n", stderr);
    return 2;
  }
  try {
    sono::Peer(argv[1]).run();
  } catch (const sono::Error& error) {
    std::fprintf(stderr, "lora_peer: %s\n", error.what());
    return error.exit_code();
  }
}
