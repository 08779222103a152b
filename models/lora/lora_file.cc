#include "models/lora/lora_file.h"

#include <map>
#include <optional>
#include <set>

#include "core/atomic_file.h"
#include "core/check.h"
#include "core/safetensors_header.h"
#include "models/io/safetensors.h"
#include "models/lora/adapter_config.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

using nlohmann::json;

constexpr const char* kPeftPrefix = "base_model.model.";

std::string listed(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += "\n    " + line;
  return text;
}

fs::path weights_path(const fs::path& path) {
  if (!fs::is_directory(path)) return path;
  for (const char* name : {kPeftLoraFile, kDiffusersLoraFile, kKohyaLoraFile}) {
    if (fs::exists(path / name)) return path / name;
  }
  throw DataError(path.string() + ": holds no " + kDiffusersLoraFile + ", " +
                  kPeftLoraFile + " or " + kKohyaLoraFile +
                  "; give the file itself");
}

json parse_json(const std::string& text, const std::string& source) {
  const json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) throw DataError(source + ": is not valid JSON");
  return parsed;
}

// One layer's tensors as they are found.
struct Parts {
  at::Tensor down, up, alpha;
};

std::map<std::string, Parts> group(const StateDict& state,
                                   const std::string& source) {
  std::map<std::string, Parts> layers;
  std::vector<std::string> problems;
  for (const auto& [key, tensor] : state) {
    const auto parsed = parse_lora_key(key);
    if (!parsed) {
      problems.push_back("not of a plain LoRA: " + key);
      continue;
    }
    Parts& parts = layers[parsed->name];
    at::Tensor& place = parsed->part == LoraKey::Part::kDown ? parts.down
                        : parsed->part == LoraKey::Part::kUp ? parts.up
                                                             : parts.alpha;
    if (place.defined()) problems.push_back("a second time: " + key);
    place = tensor;
  }
  for (const auto& [name, parts] : layers) {
    if (!parts.down.defined()) problems.push_back("no down matrix: " + name);
    if (!parts.up.defined()) problems.push_back("no up matrix: " + name);
  }
  if (layers.empty()) problems.push_back("no layer at all");
  if (!problems.empty()) {
    throw DataError(source + ": cannot be used as a LoRA:" + listed(problems));
  }
  return layers;
}

bool fit_together(const at::Tensor& down, const at::Tensor& up) {
  return down.dim() >= 2 && up.dim() >= 2 && down.size(0) >= 1 &&
         down.size(0) == up.size(1) && down.is_floating_point() &&
         up.is_floating_point();
}

double checked_alpha(const at::Tensor& alpha, const std::string& name,
                     const std::string& source) {
  if (alpha.numel() == 1) {
    const double value = alpha.item<double>();
    if (value > 0 && value < 1e9) return value;
  }
  throw DataError(source + ": " + name + ".alpha is no number above 0");
}

// The adapter configs a file comes with, by the prefix of their layers' names.
using Configs = std::map<std::string, AdapterConfig>;

Configs configs_of_header(const fs::path& path) {
  Configs configs;
  const auto metadata = read_header(path).metadata;
  const auto found = metadata.find(kLoraMetadata);
  if (found == metadata.end()) return configs;
  const std::string source = path.string() + ": header entry " + kLoraMetadata;
  const json fields = parse_json(found->second, source);
  std::map<std::string, json> by_model;
  for (const auto& [key, value] : fields.items()) {
    const auto dot = key.find('.');
    if (dot == std::string::npos) {
      throw DataError(source + ": '" + key + "' names no model");
    }
    by_model[key.substr(0, dot + 1)][key.substr(dot + 1)] = value;
  }
  for (const auto& [prefix, own] : by_model) {
    configs.emplace(prefix, AdapterConfig(own, source + ", " + prefix));
  }
  return configs;
}

Configs configs_of_folder(const fs::path& weights) {
  const fs::path path = weights.parent_path() / kPeftConfigFile;
  if (!fs::exists(path)) {
    throw DataError(path.string() + ": is missing; without it the scale of " +
                    weights.string() + " is unknown");
  }
  Configs configs;
  configs.emplace(
      kPeftPrefix,
      AdapterConfig(parse_json(read_file(path), path.string()), path.string()));
  return configs;
}

LoraDialect dialect_of(const StateDict& state) {
  for (const auto& [key, tensor] : state) {
    if (key.rfind(kPeftPrefix, 0) == 0) return LoraDialect::kPeft;
    if (key.find(".lora_down.") != key.npos) return LoraDialect::kKohya;
  }
  return LoraDialect::kDiffusers;
}

// Alpha and kind of scale, from the config whose prefix the name has; else the
// file's own alpha; else the rank.
void set_scale(LoraEntry& entry, const at::Tensor& alpha,
               const Configs& configs, const std::string& source) {
  for (const auto& [prefix, config] : configs) {
    if (entry.name.rfind(prefix, 0) != 0) continue;
    std::string path = entry.name.substr(prefix.size());
    if (config.rank(path) != static_cast<double>(entry.rank())) {
      throw DataError(source + ": " + entry.name + " has rank " +
                      std::to_string(entry.rank()) +
                      ", its adapter config says otherwise");
    }
    entry.alpha = config.alpha(path);
    entry.rslora = config.rslora();
    return;
  }
  entry.alpha = alpha.defined() ? checked_alpha(alpha, entry.name, source)
                                : static_cast<double>(entry.rank());
}

// The same numbers in the layer's shape: a 1x1 convolution's may be stored as
// matrices, and the other way round. As it is when that does not fit.
at::Tensor shaped(const at::Tensor& tensor,
                  const std::vector<std::int64_t>& shape) {
  const at::Tensor wide = tensor.to(at::kFloat);
  const bool pointwise =
      tensor.dim() != static_cast<std::int64_t>(shape.size());
  if (pointwise && tensor.size(0) == shape[0] && tensor.size(1) == shape[1] &&
      tensor.numel() == shape[0] * shape[1] &&
      wide.numel() == c10::multiply_integers(shape)) {
    return wide.reshape(shape);
  }
  return wide;
}

std::unique_ptr<LoraSet> attach_to(
    Module& model, const std::map<std::string, const LoraEntry*>& by_path,
    const std::string& source) {
  std::vector<LoraTarget> targets;
  StateDict state;
  for (const LoraLayer& layer : lora_layers(model)) {
    const auto found = by_path.find(layer.path);
    if (found == by_path.end()) continue;
    const LoraEntry& entry = *found->second;
    targets.push_back({layer.path, entry.rank(), entry.alpha, entry.rslora});
    state[layer.path + ".lora_A.weight"] =
        shaped(entry.down, layer.down_shape(entry.rank()));
    state[layer.path + ".lora_B.weight"] =
        shaped(entry.up, layer.up_shape(entry.rank()));
  }
  auto lora = std::make_unique<LoraSet>(model, std::move(targets));
  lora->load_state(state, source);
  return lora;
}

}  // namespace

double LoraEntry::scale() const {
  return LoraTarget{name, rank(), alpha, rslora}.scale();
}

LoraFile read_lora(const fs::path& path) {
  const fs::path weights = weights_path(path);
  const StateDict state = load_safetensors(weights);
  LoraFile file;
  file.source = weights.string();
  file.dialect = dialect_of(state);
  const Configs configs = file.dialect == LoraDialect::kPeft
                              ? configs_of_folder(weights)
                              : configs_of_header(weights);
  for (const auto& [name, parts] : group(state, file.source)) {
    if (!fit_together(parts.down, parts.up)) {
      throw DataError(file.source + ": the two matrices of " + name +
                      " do not fit together");
    }
    LoraEntry entry{name, parts.down, parts.up};
    set_scale(entry, parts.alpha, configs, file.source);
    file.entries.push_back(std::move(entry));
  }
  return file;
}

OwnedLoras attach_lora(const LoraFile& file, const NamedModels& models) {
  LoraNameTable table;
  for (const auto& [name, model] : models) {
    std::vector<std::string> paths;
    for (const LoraLayer& layer : lora_layers(*model)) {
      paths.push_back(layer.path);
    }
    table.add(name, paths);
  }
  std::map<std::string, std::map<std::string, const LoraEntry*>> found;
  std::vector<std::string> problems;
  for (const LoraEntry& entry : file.entries) {
    const LoraPlace* place = table.find(entry.name);
    if (place == nullptr) {
      problems.push_back("no such layer: " + entry.name);
    } else if (!found[place->model].emplace(place->path, &entry).second) {
      problems.push_back("a second time: " + entry.name);
    }
  }
  if (!problems.empty()) {
    throw DataError(file.source +
                    ": does not fit the model:" + listed(problems));
  }
  OwnedLoras loras;
  for (const auto& [name, model] : models) {
    if (!found.count(name)) continue;
    loras.emplace_back(name, attach_to(*model, found.at(name), file.source));
  }
  return loras;
}

}  // namespace sono
