#include "models/lora/lora_config.h"

#include <charconv>
#include <cmath>

#include "core/error.h"

namespace sono {
namespace {

constexpr double kMaxRank = 4096;
constexpr double kMaxAlpha = 1e6;

void check_patterns(const std::string& option,
                    const std::vector<std::string>& entries, bool whole,
                    double high) {
  for (const std::string& entry : entries) {
    const PatternValue parsed = parse_pattern_value(option, entry);
    const double low = whole ? 1 : 1e-6;
    check_range(option + " '" + entry + "'", parsed.value, low, high);
    if (whole && parsed.value != std::floor(parsed.value)) {
      throw ConfigError("option " + option + ": the rank in '" + entry +
                        "' is not a whole number");
    }
  }
}

}  // namespace

PatternValue parse_pattern_value(const std::string& option,
                                 const std::string& text) {
  const auto colon = text.rfind(':');
  PatternValue parsed;
  if (colon != std::string::npos && colon > 0) {
    parsed.pattern = text.substr(0, colon);
    const char* begin = text.data() + colon + 1;
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(begin, end, parsed.value);
    if (begin != end && error == std::errc() && stopped == end) return parsed;
  }
  throw ConfigError("option " + option + ": '" + text +
                    "' is not PATTERN:NUMBER, like attn2.to_k:8");
}

void LoraConfig::validate(const std::string& prefix) const {
  if (targets.empty()) {
    throw ConfigError("option " + prefix +
                      ".targets is empty; attention is the usual choice");
  }
  check_range(prefix + ".rank", rank, 1, kMaxRank);
  check_range(prefix + ".alpha", alpha, 0, kMaxAlpha);
  check_patterns(prefix + ".rank_pattern", rank_pattern, true, kMaxRank);
  check_patterns(prefix + ".alpha_pattern", alpha_pattern, false, kMaxAlpha);
  check_range(prefix + ".dropout", dropout, 0, 0.99);
  check_choice(prefix + ".init", init, {"gaussian", "kaiming"});
}

void describe(OptionTable& table, const std::string& prefix, LoraConfig& config,
              OptionKind kind) {
  const auto add = [&](const char* key, auto* field, const char* help) {
    table.add(prefix + "." + key, field, kind, help);
  };
  add("targets", &config.targets,
      "layers to train: attention, attention+ff, conv, or ends of module paths "
      "like attn2.to_k (* is any one part)");
  add("rank", &config.rank, "rank of the additions; memory grows with it");
  add("alpha", &config.alpha, "their scale is alpha / rank; 0: alpha = rank");
  add("rank_pattern", &config.rank_pattern,
      "PATTERN:RANK for layers of another rank");
  add("alpha_pattern", &config.alpha_pattern,
      "PATTERN:ALPHA for layers of another alpha");
  add("dropout", &config.dropout, "dropout of the additions' input");
  add("rslora", &config.rslora, "scale by alpha / sqrt(rank) instead");
  add("init", &config.init, "gaussian or kaiming");
}

}  // namespace sono
