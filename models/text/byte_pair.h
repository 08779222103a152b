#pragma once
// Byte-pair encoding with CLIP's conventions: bytes stand as printable symbols
// (GPT-2's map), the last symbol of a word carries "</w>".

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sono {

class BytePairEncoder {
 public:
  using Vocabulary = std::unordered_map<std::string, std::int64_t>;
  using Merges = std::vector<std::pair<std::string, std::string>>;

  // `merges` in order of rank. DataError naming `source` where the two do not
  // belong together: a byte, a part or a product of a merge without an id, an
  // id that two tokens have.
  BytePairEncoder(Vocabulary vocabulary, const Merges& merges,
                  const std::string& source);

  // Ids of one word (UTF-8, no spaces), appended to `ids`.
  // n log n in the length of the word.
  void encode(std::string_view word, std::vector<std::int64_t>& ids) const;

  // -1 when there is no such token.
  std::int64_t id_of(const std::string& token) const;
  std::int64_t largest_id() const { return largest_id_; }

 private:
  struct Merge {
    std::uint32_t rank;
    std::int64_t id;
  };
  const Merge* find(std::int64_t left, std::int64_t right) const;

  Vocabulary vocabulary_;
  std::unordered_map<std::uint64_t, Merge> merges_;
  // Ids of the 256 bytes, inside and at the end of a word.
  std::vector<std::int64_t> inside_, last_;
  std::int64_t largest_id_ = 0;
};

}  // namespace sono
