#include "models/text/tokenizer_files.h"

#include <algorithm>

#include "core/error.h"
#include "models/io/file_reader.h"
#include "models/io/json_file.h"
#include "models/text/unicode.h"

namespace sono {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::uint64_t kMaxBytes = 64 << 20;
// Prompts are short; a larger "length" is transformers' word for "no limit".
constexpr double kMaxLength = 4096;
constexpr const char* kRoles[] = {"bos_token", "eos_token", "unk_token",
                                  "pad_token"};
constexpr const char* kStart = "<|startoftext|>";
constexpr const char* kEnd = "<|endoftext|>";

[[noreturn]] void refuse(const fs::path& file, const std::string& why) {
  throw DataError(file.string() + ": " + why);
}

std::string read_text(const fs::path& path) {
  const FileReader file(path);
  if (file.size_bytes() > kMaxBytes) {
    refuse(path, "absurdly large for a tokenizer file");
  }
  return file.read(0, file.size_bytes());
}

Json read_json(const fs::path& path) {
  return read_json_object(path, kMaxBytes);
}

BytePairEncoder::Vocabulary vocabulary_of(const Json& json,
                                          const fs::path& path) {
  BytePairEncoder::Vocabulary vocabulary;
  for (const auto& [token, id] : json.items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > 1u << 31) {
      refuse(path, "the id of token \"" + token + "\" is no whole number");
    }
    vocabulary[token] = id.get<std::int64_t>();
  }
  return vocabulary;
}

// "left right"
std::pair<std::string, std::string> merge_of(const std::string& line,
                                             const fs::path& path,
                                             std::size_t number) {
  const std::size_t space = line.find(' ');
  if (space == 0 || space == std::string::npos || space + 1 == line.size() ||
      line.find(' ', space + 1) != std::string::npos) {
    refuse(path, "merge " + std::to_string(number) +
                     " is not two symbols with a space between");
  }
  return {line.substr(0, space), line.substr(space + 1)};
}

BytePairEncoder::Merges read_merges(const fs::path& path) {
  const std::string text = read_text(path);
  (void)decode_utf8(text, path.string());
  BytePairEncoder::Merges merges;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line.rfind("#version", 0) == 0) continue;
    merges.push_back(merge_of(line, path, merges.size() + 1));
  }
  if (merges.empty()) refuse(path, "holds no merges");
  return merges;
}

// transformers 5 saves nothing but tokenizer.json; its merges are lines or
// pairs.
TokenizerVocabulary read_tokenizer_json(const fs::path& path) {
  const Json json = read_json(path);
  try {
    const Json& model = json.at("model");
    const bool is_clip = model.value("type", "BPE") == "BPE" &&
                         model.value("end_of_word_suffix", "") == "</w>" &&
                         !model.value("byte_fallback", false);
    if (!is_clip) refuse(path, "does not describe CLIP's byte-pair encoding");
    TokenizerVocabulary all;
    all.source = path.string();
    all.vocabulary = vocabulary_of(model.at("vocab"), path);
    for (const Json& merge : model.at("merges")) {
      all.merges.push_back(
          merge.is_string()
              ? merge_of(merge.get<std::string>(), path, all.merges.size() + 1)
              : merge.get<std::pair<std::string, std::string>>());
    }
    return all;
  } catch (const Json::exception& e) {
    refuse(path, e.what());
  }
}

// A token as text or as an object {"content", "normalized", ...}.
struct TokenText {
  std::string text;
  bool normalized = false;
  bool plain = true;  // as text

  bool operator==(const TokenText&) const = default;
};

TokenText token_of(const Json& value, const std::string& role,
                   const fs::path& path) {
  if (value.is_string()) return {value.get<std::string>()};
  try {
    for (const char* flag : {"lstrip", "rstrip", "single_word"}) {
      if (value.value(flag, false)) {
        refuse(path, role + " has " + flag + ", which is not implemented");
      }
    }
    return {value.at("content").get<std::string>(),
            value.value("normalized", false), false};
  } catch (const Json::exception& e) {
    refuse(path, role + ": " + e.what());
  }
}

using Roles = std::map<std::string, TokenText>;

void read_roles(const Json& json, const fs::path& path, Roles& roles) {
  for (const char* role : kRoles) {
    const auto found = json.find(role);
    if (found == json.end() || found->is_null()) continue;
    roles[role] = token_of(*found, role, path);
  }
  for (const char* key :
       {"additional_special_tokens", "extra_special_tokens"}) {
    const auto extra = json.find(key);
    if (extra != json.end() && !extra->empty()) {
      refuse(path, std::string(key) +
                       " are not implemented: " + extra->dump().substr(0, 80));
    }
  }
}

std::optional<std::int64_t> max_length_of(const Json& json,
                                          const fs::path& path) {
  const auto length = json.find("model_max_length");
  if (length == json.end() || length->is_null()) return {};
  if (!length->is_number() || !(length->get<double>() >= 3)) {
    refuse(path, "model_max_length is " + length->dump() + "; wanted 77");
  }
  if (length->get<double>() > kMaxLength) return {};
  return length->get<std::int64_t>();
}

// A list of the tokens with their flags: {id: token} in tokenizer_config.json,
// [token] in tokenizer.json. Each must be one of the roles'.
void read_added_tokens(const Json& list, const fs::path& path,
                       TokenizerSettings& settings) {
  for (const Json& value : list) {
    const TokenText token = token_of(value, "an added token", path);
    const auto found = settings.normalized.find(token.text);
    if (found == settings.normalized.end()) {
      refuse(path, "the added token \"" + token.text +
                       "\" is no start, end, unknown or padding token; others "
                       "are not implemented");
    }
    found->second = token.normalized;
  }
}

// Where no list says it, the flags are those of the last new spelling of a
// token in order of roles. That is how transformers 5 comes to its flags.
void settle_roles(const Roles& roles, TokenizerSettings& settings) {
  std::vector<TokenText> seen;
  for (const char* role : kRoles) {
    const auto found = roles.find(role);
    const bool start = std::string_view(role) == "bos_token";
    const TokenText token =
        found != roles.end() ? found->second : TokenText{start ? kStart : kEnd};
    settings.special_tokens[role] = token.text;
    if (std::find(seen.begin(), seen.end(), token) != seen.end()) continue;
    seen.push_back(token);
    settings.normalized[token.text] = token.normalized;
  }
}

}  // namespace

TokenizerVocabulary read_vocabulary(const fs::path& folder) {
  const fs::path vocabulary = folder / "vocab.json";
  const fs::path merges = folder / "merges.txt";
  const fs::path both = folder / "tokenizer.json";
  const bool complete = fs::exists(vocabulary) && fs::exists(merges);
  if (!complete && fs::exists(both)) return read_tokenizer_json(both);
  if (!complete) {
    throw DataError(folder.string() +
                    ": no tokenizer: wanted vocab.json and merges.txt, or "
                    "tokenizer.json");
  }
  return {vocabulary_of(read_json(vocabulary), vocabulary), read_merges(merges),
          vocabulary.string() + " and merges.txt"};
}

TokenizerSettings read_tokenizer_settings(const fs::path& folder) {
  const fs::path added = folder / "added_tokens.json";
  if (fs::exists(added) && !read_json(added).empty()) {
    refuse(added, "tokens added to the vocabulary are not implemented");
  }
  const fs::path config = folder / "tokenizer_config.json";
  const fs::path map = folder / "special_tokens_map.json";
  const fs::path both = folder / "tokenizer.json";
  const Json settings_json =
      fs::exists(config) ? read_json(config) : Json::object();
  const bool has_list = settings_json.contains("added_tokens_decoder");
  TokenizerSettings settings;
  settings.max_length = max_length_of(settings_json, config);
  Roles roles;
  read_roles(settings_json, config, roles);
  if (!has_list && fs::exists(map)) read_roles(read_json(map), map, roles);
  settle_roles(roles, settings);
  if (has_list) {
    read_added_tokens(settings_json.at("added_tokens_decoder"), config,
                      settings);
  } else if (!fs::exists(folder / "vocab.json") && fs::exists(both)) {
    const Json json = read_json(both);
    read_added_tokens(json.value("added_tokens", Json::array()), both,
                      settings);
  }
  return settings;
}

}  // namespace sono
