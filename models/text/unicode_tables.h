#pragma once
// What CLIP's tokenizer needs of the Unicode Character Database, as tables
// sorted by code point. The values are generated (tests/parity).

#include <cstdint>
#include <vector>

namespace sono {

struct CodeRange {  // inclusive
  std::uint32_t first;
  std::uint32_t last;
};

// Every `stride`-th code point of the range; lower case = code + distance.
struct CaseRange {
  std::uint32_t first;
  std::uint32_t last;
  std::uint32_t stride;
  std::int32_t distance;
};

// Canonical, one level deep; `second` is 0 for a single code point.
struct Decomposition {
  std::uint32_t code;
  std::uint32_t first;
  std::uint32_t second;
  std::uint32_t never_composed;  // a composition exclusion, or a single
};

struct ClassRange {  // inclusive; combining class other than 0
  std::uint32_t first;
  std::uint32_t last;
  std::uint32_t combining_class;
};

template <class Row>
using UnicodeTable = std::vector<Row>;

extern const UnicodeTable<CodeRange> kLetters;  // \p{L}
extern const UnicodeTable<CodeRange> kNumbers;  // \p{N}
extern const UnicodeTable<CodeRange> kSpaces;   // \s
extern const UnicodeTable<CaseRange> kLowerCase;
extern const UnicodeTable<Decomposition> kDecompositions;
extern const UnicodeTable<ClassRange> kCombiningClasses;

}  // namespace sono
