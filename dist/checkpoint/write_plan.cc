#include "dist/checkpoint/write_plan.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/check.h"
#include "dist/communicator.h"

namespace sono {
namespace {

using Ranges = std::vector<Range>;  // ascending, disjoint, not empty

std::int64_t total(const Ranges& ranges) {
  std::int64_t sum = 0;
  for (const Range& range : ranges) sum += range.size();
  return sum;
}

Ranges bytes_of(const std::vector<FilePiece>& pieces) {
  Ranges ranges;
  for (const FilePiece& piece : pieces) {
    if (!ranges.empty() && ranges.back().end == piece.bytes.begin) {
      ranges.back().end = piece.bytes.end;
    } else {
      ranges.push_back(piece.bytes);
    }
  }
  return ranges;
}

Ranges intersection(const Ranges& a, const Ranges& b) {
  Ranges out;
  for (auto i = a.begin(), j = b.begin(); i != a.end() && j != b.end();) {
    const Range both{std::max(i->begin, j->begin), std::min(i->end, j->end)};
    if (both.size() > 0) out.push_back(both);
    if (i->end < j->end) {
      ++i;
    } else {
      ++j;
    }
  }
  return out;
}

Ranges difference(const Ranges& a, const Ranges& b) {
  Ranges out;
  auto j = b.begin();
  for (Range rest : a) {
    while (j != b.end() && j->end <= rest.begin) ++j;
    for (auto k = j; k != b.end() && k->begin < rest.end; ++k) {
      if (rest.begin < k->begin) out.push_back({rest.begin, k->begin});
      rest.begin = std::max(rest.begin, k->end);
    }
    if (rest.begin < rest.end) out.push_back(rest);
  }
  return out;
}

// Plans one block of one file.
class BlockPlan {
 public:
  BlockPlan(const FileLayout& file, std::int64_t index,
            const std::vector<HeldRanges>& held) {
    const Range block = file.block(index);
    for (const HeldRanges& ranges : held) {
      shares_.push_back(bytes_of(held_pieces(file, block, ranges)));
    }
    const auto header = static_cast<std::int64_t>(file.header.size());
    data_ = {std::min(std::max(block.begin, header), block.end), block.end};
    writer_ = choose(index, file.num_blocks());
  }

  int writer() const { return writer_; }

  void append_transfers(int file, std::vector<Transfer>& transfers) const {
    if (data_.size() == 0) return;
    Ranges missing = difference({data_}, shares_[writer_]);
    for (int rank = 0; rank < num_ranks() && !missing.empty(); ++rank) {
      const Ranges sent = intersection(missing, shares_[rank]);
      for (const Range& bytes : sent) {
        transfers.push_back({rank, writer_, file, bytes});
      }
      missing = difference(missing, sent);
    }
    SONO_CHECK(missing.empty(), "no rank holds bytes "
                                    << missing[0].begin << " to "
                                    << missing[0].end << " of a checkpoint");
  }

 private:
  int num_ranks() const { return static_cast<int>(shares_.size()); }

  int choose(std::int64_t index, std::int64_t num_blocks) const {
    std::int64_t most = 0;
    std::vector<int> candidates;
    for (int rank = 0; rank < num_ranks(); ++rank) {
      const std::int64_t bytes = total(shares_[rank]);
      if (bytes > most) candidates.clear();
      most = std::max(most, bytes);
      if (bytes == most) candidates.push_back(rank);
    }
    return candidates[split_point(static_cast<std::int64_t>(candidates.size()),
                                  num_blocks, index)];
  }

  std::vector<Ranges> shares_;  // of each rank, in bytes of the file
  Range data_;                  // the block without the header
  int writer_;
};

}  // namespace

WritePlan plan_writes(const std::vector<FileLayout>& files,
                      const std::vector<HeldRanges>& held) {
  WritePlan plan;
  for (std::size_t f = 0; f < files.size(); ++f) {
    std::vector<int>& writers = plan.writers.emplace_back();
    for (std::int64_t b = 0; b < files[f].num_blocks(); ++b) {
      const BlockPlan block(files[f], b, held);
      writers.push_back(block.writer());
      block.append_transfers(static_cast<int>(f), plan.transfers);
    }
  }
  return plan;
}

std::string to_text(const HeldRanges& held) {
  nlohmann::json json = nlohmann::json::array();
  for (const Ranges& ranges : held) {
    nlohmann::json edges = nlohmann::json::array();
    for (const Range& range : ranges) {
      edges.push_back(range.begin);
      edges.push_back(range.end);
    }
    json.push_back(edges);
  }
  return json.dump();
}

HeldRanges held_from_text(const std::string& text) {
  HeldRanges held;
  const auto json = nlohmann::json::parse(text);
  for (std::size_t i = 0; i < held.size(); ++i) {
    const auto edges = json.at(i).get<std::vector<std::int64_t>>();
    for (std::size_t k = 0; k + 1 < edges.size(); k += 2) {
      held[i].push_back({edges[k], edges[k + 1]});
    }
  }
  return held;
}

}  // namespace sono
