#pragma once
// The files of a tokenizer folder as huggingface lays it out. All errors are
// DataErrors that name the file.

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "models/text/byte_pair.h"

namespace sono {

struct TokenizerVocabulary {
  BytePairEncoder::Vocabulary vocabulary;
  BytePairEncoder::Merges merges;
  std::string source;  // the file or files they come from
};

// From vocab.json and merges.txt, or from tokenizer.json where these are
// missing, which must describe CLIP's byte-pair encoding.
TokenizerVocabulary read_vocabulary(const std::filesystem::path& folder);

struct TokenizerSettings {
  // {role: token} for bos_token, eos_token, unk_token, pad_token.
  std::map<std::string, std::string> special_tokens;
  // Of each such token: is it looked for after normalization of the text?
  std::map<std::string, bool> normalized;
  std::optional<std::int64_t> max_length;
};

// From tokenizer_config.json, special_tokens_map.json and tokenizer.json, with
// transformers 5's precedence among them; CLIP's own where none is there.
// Tokens added to the vocabulary of the weights are refused by name.
TokenizerSettings read_tokenizer_settings(const std::filesystem::path& folder);

}  // namespace sono
