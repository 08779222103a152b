#include "models/lora/lora_names.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/check.h"
#include "core/option.h"

namespace sono {
namespace {

constexpr const char* kTextModel = "text_model.";

struct Ending {
  const char* text;
  LoraKey::Part part;
};

// The two with "_lora." end names like "to_q_lora": the underscore ends the
// layer's name there.
constexpr std::array kEndings = {
    Ending{".lora_A.weight", LoraKey::Part::kDown},
    Ending{".lora_B.weight", LoraKey::Part::kUp},
    Ending{".lora.down.weight", LoraKey::Part::kDown},
    Ending{".lora.up.weight", LoraKey::Part::kUp},
    Ending{".lora_linear_layer.down.weight", LoraKey::Part::kDown},
    Ending{".lora_linear_layer.up.weight", LoraKey::Part::kUp},
    Ending{".lora_down.weight", LoraKey::Part::kDown},
    Ending{".lora_up.weight", LoraKey::Part::kUp},
    Ending{"_lora.down.weight", LoraKey::Part::kDown},
    Ending{"_lora.up.weight", LoraKey::Part::kUp},
    Ending{".alpha", LoraKey::Part::kAlpha}};

std::string with_underscores(std::string path) {
  std::replace(path.begin(), path.end(), '.', '_');
  return path;
}

std::string without_text_model(const std::string& path) {
  return path.rfind(kTextModel, 0) == 0
             ? path.substr(std::string(kTextModel).size())
             : path;
}

// transformers 5 dropped the part "text_model", so files have it or not.
std::vector<std::string> paths_in_files(const std::string& model,
                                        const std::string& path) {
  if (model != "text_encoder") return {path};
  const std::string bare = without_text_model(path);
  return {kTextModel + bare, bare};
}

// The oldest files name an attention's processor: "attn1.processor.to_q", and
// "to_out" for "to_out.0".
std::optional<std::string> old_attention_path(const std::string& path) {
  constexpr std::array<std::pair<const char*, const char*>, 4> kEnds = {
      {{".to_q", ".processor.to_q"},
       {".to_k", ".processor.to_k"},
       {".to_v", ".processor.to_v"},
       {".to_out.0", ".processor.to_out"}}};
  for (const auto& [end, old] : kEnds) {
    if (!path.ends_with(end)) continue;
    return path.substr(0, path.size() - std::string(end).size()) + old;
  }
  return std::nullopt;
}

std::string kohya_prefix(const std::string& model) {
  return model == "text_encoder" ? "lora_te_" : "lora_" + model + "_";
}

}  // namespace

LoraDialect parse_lora_dialect(const std::string& option,
                               const std::string& text) {
  check_choice(option, text, {"diffusers", "peft", "kohya"});
  if (text == "peft") return LoraDialect::kPeft;
  return text == "kohya" ? LoraDialect::kKohya : LoraDialect::kDiffusers;
}

std::string to_string(LoraDialect dialect) {
  if (dialect == LoraDialect::kPeft) return "peft";
  return dialect == LoraDialect::kKohya ? "kohya" : "diffusers";
}

std::string lora_name(LoraDialect dialect, const std::string& model,
                      const std::string& path) {
  switch (dialect) {
    case LoraDialect::kDiffusers:
      return model + "." + paths_in_files(model, path).front();
    case LoraDialect::kPeft:
      return "base_model.model." + paths_in_files(model, path).back();
    case LoraDialect::kKohya:
      return kohya_prefix(model) +
             with_underscores(paths_in_files(model, path).front());
  }
  throw Error("unknown LoRA dialect");
}

std::optional<LoraKey> parse_lora_key(const std::string& key) {
  for (const Ending& ending : kEndings) {
    if (!key.ends_with(ending.text)) continue;
    const auto size = key.size() - std::string(ending.text).size();
    if (size == 0) return std::nullopt;
    return LoraKey{key.substr(0, size), ending.part};
  }
  return std::nullopt;
}

void LoraNameTable::add(const std::string& model,
                        const std::vector<std::string>& paths) {
  const auto put = [&](const std::string& name, const std::string& path) {
    const auto [place, is_new] = places_.try_emplace(name, model, path);
    SONO_CHECK(
        is_new || (place->second.model == model && place->second.path == path),
        name << " would name " << place->second.path << " and " << path);
  };
  for (const std::string& path : paths) {
    for (const std::string& spelled : paths_in_files(model, path)) {
      put(model + "." + spelled, path);
      put("base_model.model." + spelled, path);
      put(kohya_prefix(model) + with_underscores(spelled), path);
      if (model == "text_encoder") {
        put("lora_te1_" + with_underscores(spelled), path);
      }
    }
    if (const auto old = old_attention_path(path)) {
      put(model + "." + *old, path);
    }
  }
}

const LoraPlace* LoraNameTable::find(const std::string& name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? nullptr : &found->second;
}

}  // namespace sono
