#pragma once
// LoRA files, read and written: diffusers' one file, peft's folder, kohya's one
// file. Loading is strict: a key that no layer takes, a layer without both of
// its tensors or a scale that cannot be known is a DataError that lists it.
//
// Where a file says no alpha, alpha is the rank (scale 1): so say diffusers and
// kohya. `sonoforge inspect` prints each layer's scale.

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/lora/lora_names.h"
#include "models/lora/lora_set.h"

namespace sono {

inline constexpr char kDiffusersLoraFile[] = "pytorch_lora_weights.safetensors";
inline constexpr char kKohyaLoraFile[] = "lora.safetensors";
inline constexpr char kPeftLoraFile[] = "adapter_model.safetensors";
inline constexpr char kPeftConfigFile[] = "adapter_config.json";
// The header entry of diffusers' files that holds peft's config.
inline constexpr char kLoraMetadata[] = "lora_adapter_metadata";

// One layer of a file.
struct LoraEntry {
  std::string name;  // as the file spells it
  at::Tensor down, up;
  double alpha = 0;
  bool rslora = false;

  std::int64_t rank() const { return down.size(0); }
  double scale() const;
};

struct LoraFile {
  std::string source;  // for messages
  LoraDialect dialect = LoraDialect::kDiffusers;
  std::vector<LoraEntry> entries;  // sorted by name
};

// `path`: a file, a folder with one of diffusers' or peft's names, or a peft
// folder's weights. DataError when it is damaged or holds what is no LoRA
// (DoRA, LoKr and LoHa among it).
LoraFile read_lora(const std::filesystem::path& path);

// A model by its name in files, "unet" or "text_encoder".
using NamedModels = std::vector<std::pair<std::string, Module*>>;
using NamedLoras = std::vector<std::pair<std::string, LoraSet*>>;
using OwnedLoras =
    std::vector<std::pair<std::string, std::unique_ptr<LoraSet>>>;

// The file's additions to these models, attached; one set for each model that
// has any. DataError listing all names that no layer has, and all shapes that
// do not fit.
OwnedLoras attach_lora(const LoraFile& file, const NamedModels& models);

// Writes into `folder`: diffusers "pytorch_lora_weights.safetensors"; kohya
// "lora.safetensors"; peft "adapter_config.json" and
// "adapter_model.safetensors", the text encoder's in "text_encoder/". The
// strength is not written. Equal sets give equal bytes. Kohya's has one alpha
// for all layers of a model.
void save_lora(LoraDialect dialect, const std::filesystem::path& folder,
               const NamedLoras& loras);

}  // namespace sono
