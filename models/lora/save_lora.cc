// The writing half of models/lora/lora_file.h.

#include "core/atomic_file.h"
#include "core/check.h"
#include "models/io/safetensors.h"
#include "models/lora/adapter_config.h"
#include "models/lora/lora_file.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

using nlohmann::json;

StateDict named_state(LoraDialect dialect, const std::string& model,
                      const LoraSet& lora) {
  const bool kohya = dialect == LoraDialect::kKohya;
  const StateDict own = lora.state();
  const double alpha = usual_alpha(lora);
  StateDict named;
  for (const LoraTarget& target : lora.targets()) {
    const std::string name = lora_name(dialect, model, target.path);
    named[name + (kohya ? ".lora_down.weight" : ".lora_A.weight")] =
        own.at(target.path + ".lora_A.weight").detach();
    const at::Tensor up = own.at(target.path + ".lora_B.weight").detach();
    if (!kohya) {
      named[name + ".lora_B.weight"] = up;
      continue;
    }
    // There the scale is always alpha / rank. Diffusers misreads files with
    // more than one alpha, so a layer with another has the difference in `up`.
    const double own_alpha = target.scale() * static_cast<double>(target.rank);
    named[name + ".lora_up.weight"] =
        own_alpha == alpha ? up : up * (own_alpha / alpha);
    named[name + ".alpha"] = at::scalar_tensor(alpha, at::kFloat);
  }
  return named;
}

void save_peft(const fs::path& folder, const std::string& model,
               const LoraSet& lora) {
  make_directories(folder);
  save_safetensors(folder / kPeftLoraFile,
                   named_state(LoraDialect::kPeft, model, lora),
                   {{"format", "pt"}});
  write_file_atomic(folder / kPeftConfigFile,
                    adapter_config(lora, model).dump(2) + "\n");
}

std::map<std::string, std::string> diffusers_metadata(const NamedLoras& loras) {
  json fields = json::object();
  for (const auto& [model, lora] : loras) {
    const json own = adapter_config(*lora, model);
    for (const auto& [field, value] : own.items()) {
      fields[model + "." + field] = value;
    }
  }
  return {{"format", "pt"}, {kLoraMetadata, fields.dump(2)}};
}

std::map<std::string, std::string> kohya_metadata(const NamedLoras& loras) {
  const LoraSet& first = *loras.front().second;
  return {{"ss_network_module", "networks.lora"},
          {"ss_network_dim", std::to_string(first.targets().front().rank)},
          {"ss_network_alpha", json(usual_alpha(first)).dump()}};
}

}  // namespace

void save_lora(LoraDialect dialect, const fs::path& folder,
               const NamedLoras& loras) {
  SONO_CHECK(!loras.empty(), "no LoRA to save");
  make_directories(folder);
  if (dialect == LoraDialect::kPeft) {
    for (const auto& [model, lora] : loras) {
      save_peft(model == "unet" ? folder : folder / model, model, *lora);
    }
    return;
  }
  StateDict all;
  for (const auto& [model, lora] : loras) {
    all.merge(named_state(dialect, model, *lora));
  }
  if (dialect == LoraDialect::kKohya) {
    save_safetensors(folder / kKohyaLoraFile, all, kohya_metadata(loras));
  } else {
    save_safetensors(folder / kDiffusersLoraFile, all,
                     diffusers_metadata(loras));
  }
}

}  // namespace sono
