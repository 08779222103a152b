#include "models/lora/adapter_config.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"

namespace sono {
namespace {

using nlohmann::json;

constexpr const char* kTextModel = "text_model.";

json value_of(const json& fields, const char* field, const json& fallback) {
  const auto found = fields.find(field);
  return found == fields.end() || found->is_null() ? fallback : *found;
}

double number(const json& fields, const char* field,
              const std::string& source) {
  const json value = value_of(fields, field, nullptr);
  if (value.is_number() && value.get<double>() > 0 &&
      value.get<double>() < 1e9) {
    return value.get<double>();
  }
  throw DataError(source + ": field '" + field + "' is " + value.dump() +
                  ", not a number above 0; without it the LoRA's scale is "
                  "unknown");
}

// Fields that make another function of the weights.
void refuse_other_adapters(const json& fields, const std::string& source) {
  const auto refuse = [&](const char* field, const json& value) {
    throw DataError(source + ": " + field + " = " + value.dump() +
                    " is not supported; only plain LoRA is");
  };
  const json type = value_of(fields, "peft_type", "LORA");
  if (type != "LORA") refuse("peft_type", type);
  const json bias = value_of(fields, "bias", "none");
  if (bias != "none") refuse("bias", bias);
  for (const char* field :
       {"use_dora", "lora_bias", "fan_in_fan_out", "use_qalora", "use_bdlora",
        "modules_to_save", "layer_replication", "trainable_token_indices",
        "target_parameters", "arrow_config", "kasa_config", "velora_config",
        "monteclora_config", "alora_invocation_tokens"}) {
    const json value = value_of(fields, field, false);
    if (value != false && !(value.is_array() && value.empty())) {
      refuse(field, value);
    }
  }
}

// peft takes its patterns as regular expressions; those that are paths, with
// dots escaped or not, are understood here.
std::string path_of_pattern(const std::string& pattern, bool* whole,
                            const std::string& source) {
  std::string path;
  *whole = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const bool escaped_dot =
        c == '\\' && i + 1 < pattern.size() && pattern[i + 1] == '.';
    if (c == '^' && i == 0) {
      *whole = true;
    } else if (escaped_dot) {
      path += '.';
      ++i;
    } else if (c == '$' && i + 1 == pattern.size()) {
      break;
    } else if (std::isalnum(static_cast<unsigned char>(c)) || c == '_' ||
               c == '.') {
      path += c;
    } else {
      throw DataError(source + ": the pattern '" + pattern +
                      "' is a regular expression; only module paths are "
                      "understood");
    }
  }
  return path;
}

std::string bare_path(const std::string& path) {
  return path.rfind(kTextModel, 0) == 0
             ? path.substr(std::string(kTextModel).size())
             : path;
}

json as_number(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  if (static_cast<double>(whole) == value) return whole;
  return value;
}

// The most frequent value; of equally frequent ones the smallest.
double most_frequent(const std::vector<double>& values) {
  std::map<double, int> counts;
  for (const double value : values) ++counts[value];
  return std::max_element(
             counts.begin(), counts.end(),
             [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

// The shortest end of `path` that no module but chosen layers has. A number
// alone is no end: many modules are called 0.
std::string target_name(const std::string& path,
                        const std::vector<std::string>& others) {
  std::size_t begin = path.rfind('.');
  while (begin != std::string::npos) {
    const std::string end = path.substr(begin + 1);
    const bool is_number = end.find_first_not_of("0123456789") == end.npos;
    const bool taken = std::any_of(
        others.begin(), others.end(),
        [&](const std::string& other) { return matches_path(other, end); });
    if (!is_number && !taken) return end;
    if (begin == 0) break;
    begin = path.rfind('.', begin - 1);
  }
  return path;
}

std::set<std::string> target_names(const LoraSet& lora) {
  std::set<std::string> chosen, names;
  for (const auto& target : lora.targets()) chosen.insert(target.path);
  std::vector<std::string> others;
  for (const auto& [path, module] : lora.model().named_modules()) {
    if (!chosen.count(path)) others.push_back(bare_path(path));
  }
  for (const auto& path : chosen) {
    names.insert(target_name(bare_path(path), others));
  }
  return names;
}

}  // namespace

AdapterConfig::AdapterConfig(const json& fields, const std::string& source)
    : source_(source) {
  if (!fields.is_object()) {
    throw DataError(source + ": is no JSON object of peft's LoRA fields");
  }
  refuse_other_adapters(fields, source);
  rank_ = number(fields, "r", source);
  alpha_ = number(fields, "lora_alpha", source);
  const json rslora = value_of(fields, "use_rslora", false);
  if (!rslora.is_boolean()) {
    throw DataError(source + ": field 'use_rslora' is " + rslora.dump() +
                    ", neither true nor false");
  }
  rslora_ = rslora.get<bool>();
  ranks_ = patterns(fields, "rank_pattern");
  alphas_ = patterns(fields, "alpha_pattern");
}

AdapterConfig::Patterns AdapterConfig::patterns(const json& fields,
                                                const char* field) const {
  const json value = value_of(fields, field, json::object());
  if (!value.is_object()) {
    throw DataError(source_ + ": field '" + field + "' is no JSON object");
  }
  Patterns all;
  for (const auto& [pattern, unused] : value.items()) {
    Pattern parsed;
    parsed.path = path_of_pattern(pattern, &parsed.whole, source_);
    parsed.value = number(value, pattern.c_str(), source_ + ": " + field);
    all.push_back(std::move(parsed));
  }
  return all;
}

double AdapterConfig::find(const Patterns& patterns, const std::string& path,
                           double fallback) {
  for (const Pattern& pattern : patterns) {
    const bool fits =
        pattern.whole ? path == pattern.path : matches_path(path, pattern.path);
    if (fits) return pattern.value;
  }
  return fallback;
}

double AdapterConfig::alpha(const std::string& path) const {
  return find(alphas_, path, alpha_);
}

double AdapterConfig::rank(const std::string& path) const {
  return find(ranks_, path, rank_);
}

json adapter_config(const LoraSet& lora, const std::string& model) {
  std::vector<double> ranks, alphas;
  for (const auto& target : lora.targets()) {
    ranks.push_back(static_cast<double>(target.rank));
    alphas.push_back(target.alpha);
  }
  const double rank = most_frequent(ranks), alpha = most_frequent(alphas);
  json rank_pattern = json::object(), alpha_pattern = json::object();
  for (const auto& target : lora.targets()) {
    // Whole paths; those of a text encoder may get "text_model." before them.
    const std::string key =
        model == "text_encoder" ? bare_path(target.path) : "^" + target.path;
    const auto own_rank = static_cast<double>(target.rank);
    if (own_rank != rank) rank_pattern[key] = target.rank;
    if (target.alpha != alpha) alpha_pattern[key] = as_number(target.alpha);
  }
  return {{"r", as_number(rank)},
          {"lora_alpha", as_number(alpha)},
          {"rank_pattern", rank_pattern},
          {"alpha_pattern", alpha_pattern},
          {"target_modules", target_names(lora)},
          {"use_rslora", lora.targets().front().rslora},
          {"lora_dropout", 0.0},
          {"bias", "none"},
          {"init_lora_weights", true},
          {"peft_type", "LORA"},
          {"inference_mode", true}};
}

}  // namespace sono
