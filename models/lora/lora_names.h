#pragma once
// How the three kinds of LoRA file spell a layer, and the way back.
//
// The way back is a table made from the model's own layers, every spelling of
// each: a name in a file either stands in it or is unknown. Nothing is guessed
// from the name (kohya's underscores cannot be told from a name's own).

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sono {

enum class LoraDialect {
  kDiffusers,  // "unet.PATH.lora_A.weight", "lora.down", "lora_linear_layer"
  kPeft,       // "base_model.model.PATH.lora_A.weight"
  kKohya       // "lora_unet_PATH_WITH_UNDERSCORES.lora_down.weight"
};

// "diffusers", "peft", "kohya"; ConfigError naming `option`.
LoraDialect parse_lora_dialect(const std::string& option,
                               const std::string& text);
std::string to_string(LoraDialect dialect);

// The name of a layer in a file that we write. `model` is "unet" or
// "text_encoder".
std::string lora_name(LoraDialect dialect, const std::string& model,
                      const std::string& path);

// What a key of a file says: which layer, and which of its tensors.
struct LoraKey {
  enum class Part { kDown, kUp, kAlpha };
  std::string name;  // the layer as the file spells it
  Part part;
};
// None when the key is of no LoRA (or of a kind of which this knows nothing).
std::optional<LoraKey> parse_lora_key(const std::string& key);

struct LoraPlace {
  std::string model, path;
};

class LoraNameTable {
 public:
  // Layers of one model; Error when two layers share a spelling.
  void add(const std::string& model, const std::vector<std::string>& paths);
  // Null when no layer is spelled so.
  const LoraPlace* find(const std::string& name) const;

 private:
  std::map<std::string, LoraPlace> places_;
};

}  // namespace sono
