#include "models/text/byte_pair.h"

#include <algorithm>
#include <queue>
#include <set>
#include <tuple>

#include "core/error.h"
#include "models/text/unicode.h"

namespace sono {
namespace {

constexpr std::int64_t kMaxId = 1 << 22;  // two ids fit one key
constexpr const char* kWordEnd = "</w>";

std::uint64_t key_of(std::int64_t left, std::int64_t right) {
  return static_cast<std::uint64_t>(left) << 32 |
         static_cast<std::uint64_t>(right);
}

// GPT-2's printable stand-in for each byte: itself where it prints in Latin-1,
// else the next code point from 256 on.
std::vector<std::string> byte_symbols() {
  std::vector<std::string> symbols;
  char32_t next = 256;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool prints = (byte >= 33 && byte <= 126) ||
                        (byte >= 161 && byte <= 172) || byte >= 174;
    std::string symbol;
    append_utf8(prints ? byte : next++, symbol);
    symbols.push_back(std::move(symbol));
  }
  return symbols;
}

// A word as a chain of symbols, so that a merge costs no copying.
struct Symbol {
  std::int64_t id;
  std::int32_t previous;
  std::int32_t next;  // -1: none
  bool alive = true;
};

// The merge of the symbols at `left` and after it.
struct Candidate {
  std::uint32_t rank;
  std::int32_t left;
  std::int64_t left_id, right_id;  // stale when the symbols have changed
  bool operator>(const Candidate& other) const {
    return std::tie(rank, left) > std::tie(other.rank, other.left);
  }
};

}  // namespace

BytePairEncoder::BytePairEncoder(Vocabulary vocabulary, const Merges& merges,
                                 const std::string& source)
    : vocabulary_(std::move(vocabulary)) {
  const auto refuse = [&](const std::string& why) {
    throw DataError(source + ": " + why +
                    "; take both tokenizer files of one model");
  };
  std::set<std::int64_t> ids;
  for (const auto& [token, id] : vocabulary_) {
    if (id < 0 || id >= kMaxId) {
      refuse("token \"" + token + "\" has the id " + std::to_string(id));
    }
    if (!ids.insert(id).second) {
      refuse("two tokens have the id " + std::to_string(id));
    }
    largest_id_ = std::max(largest_id_, id);
  }
  const auto required = [&](const std::string& token, const std::string& why) {
    const std::int64_t id = id_of(token);
    if (id < 0) refuse("the vocabulary lacks \"" + token + "\", " + why);
    return id;
  };
  for (const std::string& symbol : byte_symbols()) {
    inside_.push_back(required(symbol, "which stands for a byte"));
    last_.push_back(required(symbol + kWordEnd, "which stands for a byte"));
  }
  std::uint32_t rank = 0;
  for (const auto& [left, right] : merges) {
    const std::string why = "which merge " + std::to_string(rank + 1) + " (" +
                            left + " " + right + ") needs";
    const std::uint64_t key = key_of(required(left, why), required(right, why));
    // Of a pair that is there twice the later rank counts, as in `tokenizers`.
    merges_[key] = {rank++, required(left + right, why)};
  }
}

std::int64_t BytePairEncoder::id_of(const std::string& token) const {
  const auto found = vocabulary_.find(token);
  return found == vocabulary_.end() ? -1 : found->second;
}

const BytePairEncoder::Merge* BytePairEncoder::find(std::int64_t left,
                                                    std::int64_t right) const {
  const auto found = merges_.find(key_of(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BytePairEncoder::encode(std::string_view word,
                             std::vector<std::int64_t>& ids) const {
  const auto count = static_cast<std::int32_t>(word.size());
  std::vector<Symbol> symbols;
  for (std::int32_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(word[i]);
    const bool last = i + 1 == count;
    symbols.push_back(
        {last ? last_[byte] : inside_[byte], i - 1, last ? -1 : i + 1});
  }
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto offer = [&](std::int32_t left) {
    if (left < 0 || symbols[left].next < 0) return;
    const Symbol& right = symbols[symbols[left].next];
    if (const Merge* merge = find(symbols[left].id, right.id)) {
      queue.push({merge->rank, left, symbols[left].id, right.id});
    }
  };
  for (std::int32_t i = 0; i < count; ++i) offer(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols[best.left];
    if (!left.alive || left.next < 0 || left.id != best.left_id ||
        symbols[left.next].id != best.right_id) {
      continue;
    }
    Symbol& right = symbols[left.next];
    left.id = find(best.left_id, best.right_id)->id;
    left.next = right.next;
    right.alive = false;
    if (left.next >= 0) symbols[left.next].previous = best.left;
    offer(left.previous);
    offer(best.left);
  }
  for (std::int32_t i = 0; i >= 0 && i < count; i = symbols[i].next) {
    ids.push_back(symbols[i].id);
  }
}

}  // namespace sono
