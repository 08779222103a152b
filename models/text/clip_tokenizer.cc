#include "models/text/clip_tokenizer.h"

#include <algorithm>

#include "core/error.h"
#include "models/text/tokenizer_files.h"
#include "models/text/unicode.h"

namespace sono {
namespace {

std::u32string normalize(std::u32string_view text) {
  std::u32string out;
  for (char32_t code : nfc(text)) {
    if (!is_space(code)) {
      out.push_back(code);
    } else if (out.empty() || out.back() != U' ') {
      out.push_back(U' ');
    }
  }
  return lower_case(out);
}

bool stands_at(std::u32string_view text, std::size_t at,
               std::u32string_view word) {
  return text.substr(at, word.size()) == word;
}

bool is_other(char32_t code) {
  return !is_space(code) && !is_letter(code) && !is_number(code);
}

// Length of the word that begins at `at`, by CLIP's pattern: a contraction,
// letters, one number, or anything else but spaces. 0 at a space.
std::size_t word_length(std::u32string_view text, std::size_t at) {
  for (std::u32string_view end :
       {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"}) {
    if (stands_at(text, at, end)) return end.size();
  }
  const auto run = [&](bool (*kind)(char32_t)) {
    std::size_t end = at;
    while (end < text.size() && kind(text[end])) ++end;
    return end - at;
  };
  if (is_letter(text[at])) return run(is_letter);
  return is_number(text[at]) ? 1 : run(is_other);
}

// The word between <| and |> where a start or end mark is written out at `at`,
// else nothing. Where it is no special token (it was upper case, for one), the
// byte-level step after the pattern cuts it in three.
std::u32string_view mark_at(std::u32string_view text, std::size_t at) {
  for (std::u32string_view word : {U"startoftext", U"endoftext"}) {
    if (stands_at(text, at, U"<|") && stands_at(text, at + 2, word) &&
        stands_at(text, at + 2 + word.size(), U"|>")) {
      return word;
    }
  }
  return {};
}

std::string utf8(std::u32string_view text) {
  std::string out;
  for (char32_t code : text) append_utf8(code, out);
  return out;
}

}  // namespace

ClipTokenizer::ClipTokenizer(const std::filesystem::path& folder)
    : source_(folder.string()) {
  TokenizerVocabulary files = read_vocabulary(folder);
  encoder_.emplace(std::move(files.vocabulary), files.merges, files.source);
  read_special_tokens(folder);
}

void ClipTokenizer::read_special_tokens(const std::filesystem::path& folder) {
  const TokenizerSettings settings = read_tokenizer_settings(folder);
  for (const auto& [token, normalized] : settings.normalized) {
    add_special(token, normalized);
  }
  start_id_ = encoder_->id_of(settings.special_tokens.at("bos_token"));
  end_id_ = encoder_->id_of(settings.special_tokens.at("eos_token"));
  pad_id_ = encoder_->id_of(settings.special_tokens.at("pad_token"));
  max_length_ = settings.max_length.value_or(max_length_);
}

void ClipTokenizer::add_special(const std::string& token, bool normalized) {
  const std::int64_t id = encoder_->id_of(token);
  if (id < 0 || token.empty()) {
    throw DataError(source_ + ": the vocabulary lacks the special token \"" +
                    token + "\"; take all tokenizer files of one model");
  }
  const std::u32string text = decode_utf8(token, source_);
  specials_.push_back({normalized ? normalize(text) : text, id, normalized});
}

// The longest one that begins at `at`.
const ClipTokenizer::SpecialToken* ClipTokenizer::special_at(
    std::u32string_view text, std::size_t at, bool normalized) const {
  const SpecialToken* best = nullptr;
  for (const SpecialToken& token : specials_) {
    if (token.normalized == normalized && stands_at(text, at, token.text) &&
        (!best || token.text.size() > best->text.size())) {
      best = &token;
    }
  }
  return best;
}

// Appends the ids of the special tokens in `text`; what stands between them
// goes to `rest`.
template <class Rest>
void ClipTokenizer::split_specials(std::u32string_view text, bool normalized,
                                   std::vector<std::int64_t>& ids,
                                   const Rest& rest) const {
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const SpecialToken* token = special_at(text, at, normalized);
    if (!token) {
      ++at;
      continue;
    }
    if (at > done) rest(text.substr(done, at - done));
    ids.push_back(token->id);
    done = at += token->text.size();
  }
  if (done < text.size()) rest(text.substr(done));
}

void ClipTokenizer::tokenize_words(std::u32string_view text,
                                   std::vector<std::int64_t>& ids) const {
  const auto put = [&](std::u32string_view word) {
    encoder_->encode(utf8(word), ids);
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::u32string_view mark = mark_at(text, at);
    if (!mark.empty()) {
      put(U"<|");
      put(mark);
      put(U"|>");
      at += mark.size() + 4;
      continue;
    }
    const std::size_t length = word_length(text, at);
    if (length > 0) put(text.substr(at, length));
    at += std::max<std::size_t>(length, 1);
  }
}

std::vector<std::int64_t> ClipTokenizer::tokenize(std::string_view text) const {
  std::vector<std::int64_t> ids;
  const std::u32string codes = decode_utf8(text, "prompt");
  split_specials(codes, false, ids, [&](std::u32string_view raw) {
    const std::u32string plain = normalize(raw);
    split_specials(plain, true, ids, [&](std::u32string_view words) {
      tokenize_words(words, ids);
    });
  });
  return ids;
}

EncodedPrompt ClipTokenizer::encode(std::string_view text) const {
  std::vector<std::int64_t> tokens = tokenize(text);
  const auto room = static_cast<std::size_t>(max_length_ - 2);
  EncodedPrompt prompt;
  if (tokens.size() > room) {
    prompt.dropped = static_cast<std::int64_t>(tokens.size() - room);
    tokens.resize(room);
  }
  prompt.ids.push_back(start_id_);
  prompt.ids.insert(prompt.ids.end(), tokens.begin(), tokens.end());
  prompt.ids.push_back(end_id_);
  prompt.ids.resize(static_cast<std::size_t>(max_length_), pad_id_);
  return prompt;
}

at::Tensor ClipTokenizer::encode_all(
    const std::vector<std::string>& prompts) const {
  const auto count = static_cast<std::int64_t>(prompts.size());
  at::Tensor ids = at::empty({count, max_length_}, at::kLong);
  for (std::int64_t i = 0; i < count; ++i) {
    const EncodedPrompt prompt = encode(prompts[i]);
    std::copy(prompt.ids.begin(), prompt.ids.end(),
              ids.data_ptr<std::int64_t>() + i * max_length_);
  }
  return ids;
}

}  // namespace sono
