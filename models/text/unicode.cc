#include "models/text/unicode.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "models/text/unicode_tables.h"

namespace sono {
namespace {

// Hangul syllables are composed by arithmetic: The Unicode Standard, 3.12.
constexpr char32_t kSyllables = 0xAC00, kLeads = 0x1100, kVowels = 0x1161,
                   kTails = 0x11A7;
constexpr char32_t kLeadCount = 19, kVowelCount = 21, kTailCount = 28;
constexpr char32_t kSyllableCount = kLeadCount * kVowelCount * kTailCount;

// The row that holds `code`, or nullptr.
template <class Row>
const Row* find_range(const UnicodeTable<Row>& table, char32_t code) {
  const auto after = std::upper_bound(
      table.begin(), table.end(), code,
      [](char32_t c, const Row& row) { return c < row.first; });
  if (after == table.begin()) return nullptr;
  const Row& row = *(after - 1);
  return code <= row.last ? &row : nullptr;
}

std::uint32_t combining_class(char32_t code) {
  const ClassRange* row = find_range(kCombiningClasses, code);
  return row ? row->combining_class : 0;
}

void decompose(char32_t code, std::u32string& out) {
  if (code >= kSyllables && code < kSyllables + kSyllableCount) {
    const char32_t index = code - kSyllables;
    out.push_back(kLeads + index / (kVowelCount * kTailCount));
    out.push_back(kVowels + index / kTailCount % kVowelCount);
    if (index % kTailCount) out.push_back(kTails + index % kTailCount);
    return;
  }
  const auto row = std::lower_bound(
      kDecompositions.begin(), kDecompositions.end(), code,
      [](const Decomposition& d, char32_t c) { return d.code < c; });
  if (row == kDecompositions.end() || row->code != code) {
    out.push_back(code);
    return;
  }
  decompose(row->first, out);  // at most three levels deep
  if (row->second) decompose(row->second, out);
}

// 0 when the two have no common form.
char32_t compose(char32_t first, char32_t second) {
  if (first >= kLeads && first < kLeads + kLeadCount && second >= kVowels &&
      second < kVowels + kVowelCount) {
    return kSyllables +
           ((first - kLeads) * kVowelCount + second - kVowels) * kTailCount;
  }
  if (first >= kSyllables && first < kSyllables + kSyllableCount &&
      (first - kSyllables) % kTailCount == 0 && second > kTails &&
      second < kTails + kTailCount) {
    return first + second - kTails;
  }
  static const std::map<std::pair<char32_t, char32_t>, char32_t> kPairs = [] {
    std::map<std::pair<char32_t, char32_t>, char32_t> pairs;
    for (const Decomposition& d : kDecompositions) {
      if (!d.never_composed) pairs[{d.first, d.second}] = d.code;
    }
    return pairs;
  }();
  const auto found = kPairs.find({first, second});
  return found == kPairs.end() ? 0 : found->second;
}

// Marks after one starter, by their class; equal classes keep their order.
void order_marks(std::u32string& text) {
  for (std::size_t i = 0; i < text.size();) {
    if (combining_class(text[i]) == 0) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && combining_class(text[end]) != 0) ++end;
    std::stable_sort(text.begin() + i, text.begin() + end,
                     [](char32_t a, char32_t b) {
                       return combining_class(a) < combining_class(b);
                     });
    i = end;
  }
}

// Length of the sequence that begins with `byte`; 0 when none does.
int sequence_length(unsigned char byte) {
  if (byte < 0x80) return 1;
  if (byte >= 0xC2 && byte < 0xE0) return 2;
  if (byte >= 0xE0 && byte < 0xF0) return 3;
  return byte >= 0xF0 && byte < 0xF5 ? 4 : 0;
}

// The code point at `at`; -1 where the bytes are no UTF-8.
std::int64_t code_at(std::string_view text, std::size_t at, int length) {
  if (length == 0 || text.size() - at < std::size_t(length)) return -1;
  const auto first = static_cast<unsigned char>(text[at]);
  if (length == 1) return first;
  std::int64_t code = first & (0x7F >> length);
  for (int i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[at + i]);
    if ((byte & 0xC0) != 0x80) return -1;
    code = code << 6 | (byte & 0x3F);
  }
  constexpr std::int64_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code < kSmallest[length] || surrogate || code > 0x10FFFF ? -1 : code;
}

}  // namespace

std::u32string decode_utf8(std::string_view text, const std::string& what) {
  std::u32string out;
  for (std::size_t at = 0; at < text.size();) {
    const int length = sequence_length(static_cast<unsigned char>(text[at]));
    const std::int64_t code = code_at(text, at, length);
    if (code < 0) {
      throw DataError(what + ": not UTF-8 at byte " + std::to_string(at) +
                      "; save the text as UTF-8");
    }
    out.push_back(static_cast<char32_t>(code));
    at += length;
  }
  return out;
}

void append_utf8(char32_t code, std::string& out) {
  const auto put = [&out](char32_t byte) {
    out.push_back(static_cast<char>(byte));
  };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

bool is_letter(char32_t code) { return find_range(kLetters, code); }
bool is_number(char32_t code) { return find_range(kNumbers, code); }
bool is_space(char32_t code) { return find_range(kSpaces, code); }

std::u32string nfc(std::u32string_view text) {
  std::u32string parts;
  for (char32_t code : text) decompose(code, parts);
  order_marks(parts);
  std::u32string out;
  std::size_t starter = std::u32string::npos;
  std::uint32_t last_class = 0;
  for (char32_t code : parts) {
    const std::uint32_t own_class = combining_class(code);
    const bool touches = starter + 1 == out.size();
    // A mark is blocked by one of its own class, or higher, before it.
    if (starter != std::u32string::npos &&
        (touches || last_class < own_class)) {
      if (const char32_t composed = compose(out[starter], code)) {
        out[starter] = composed;
        continue;
      }
    }
    if (own_class == 0) starter = out.size();
    last_class = own_class;
    out.push_back(code);
  }
  return out;
}

std::u32string lower_case(std::u32string_view text) {
  std::u32string out;
  for (char32_t code : text) {
    if (code == 0x130) {  // the one letter whose lower case is two code points
      out.append({0x69, 0x307});
      continue;
    }
    const CaseRange* row = find_range(kLowerCase, code);
    const bool upper = row && (code - row->first) % row->stride == 0;
    out.push_back(upper ? code + static_cast<char32_t>(row->distance) : code);
  }
  return out;
}

}  // namespace sono
