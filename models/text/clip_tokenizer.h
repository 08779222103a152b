#pragma once
// CLIP's tokenizer (openai/CLIP, clip/simple_tokenizer.py), with the results of
// transformers 5: normalization form C, one space for runs of spaces, lower
// case, words by CLIP's pattern, byte-pair encoding.

#include <ATen/ATen.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/text/byte_pair.h"

namespace sono {

// Ids of one prompt at the length that the text encoder wants.
struct EncodedPrompt {
  std::vector<std::int64_t> ids;  // start, tokens, end, padding
  std::int64_t dropped = 0;       // tokens beyond that length, left out
};

// Immutable; any thread.
class ClipTokenizer {
 public:
  // Reads from a model's tokenizer folder vocab.json and merges.txt, or
  // tokenizer.json where these are missing, and the special tokens and the
  // length from tokenizer_config.json and special_tokens_map.json where they
  // are there. DataError naming the file for anything that does not fit.
  explicit ClipTokenizer(const std::filesystem::path& folder);

  // Without start, end and padding. DataError when `text` is not UTF-8.
  std::vector<std::int64_t> tokenize(std::string_view text) const;
  EncodedPrompt encode(std::string_view text) const;
  // int64 [prompts, max_length]
  at::Tensor encode_all(const std::vector<std::string>& prompts) const;

  std::int64_t max_length() const { return max_length_; }  // 77
  std::int64_t largest_id() const { return encoder_->largest_id(); }
  std::int64_t start_id() const { return start_id_; }
  std::int64_t end_id() const { return end_id_; }
  std::int64_t pad_id() const { return pad_id_; }  // SD 2 pads with "!"

 private:
  // A token that is found in the text as it stands. `normalized`: in the text
  // after normalization.
  struct SpecialToken {
    std::u32string text;
    std::int64_t id;
    bool normalized;
  };
  void read_special_tokens(const std::filesystem::path& folder);
  void add_special(const std::string& token, bool normalized);
  const SpecialToken* special_at(std::u32string_view text, std::size_t at,
                                 bool normalized) const;
  template <class Rest>
  void split_specials(std::u32string_view text, bool normalized,
                      std::vector<std::int64_t>& ids, const Rest& rest) const;
  void tokenize_words(std::u32string_view text,
                      std::vector<std::int64_t>& ids) const;

  std::string source_;  // the folder, for messages
  std::optional<BytePairEncoder> encoder_;
  std::vector<SpecialToken> specials_;
  std::int64_t start_id_ = 0, end_id_ = 0, pad_id_ = 0;
  std::int64_t max_length_ = 77;
};

}  // namespace sono
