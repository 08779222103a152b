// Which bytes are whose, and who writes which block: pure functions.

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/random.h"
#include "core/safetensors_header.h"
#include "dist/checkpoint/write_plan.h"
#include "dist/communicator.h"

namespace sono {
namespace {

constexpr std::int64_t kBlock = kCheckpointBlockBytes;
constexpr PerBuffer<bool> kAll = {true, true, true, true};
constexpr PerBuffer<bool> kNoEma = {true, true, true, false};
constexpr PerBuffer<bool> kSgd = {true, true, false, false};

// Some 3 MB a buffer, so that tensors and blocks cut each other.
Layout test_layout() {
  return Layout({{"b.weight", at::empty({700, 1001}, at::kFloat)},
                 {"a.bias", at::empty({33}, at::kFloat)},
                 {"d.none", at::empty({0, 4}, at::kFloat)},
                 {"c.scale", at::empty({100000}, at::kFloat)}});
}

HeldRanges all_hold(std::vector<Range> ranges) {
  HeldRanges held;
  held.fill(ranges);
  return held;
}

// Rank r holds what a plan of small buckets says.
std::vector<HeldRanges> sharded(const Layout& layout, int ranks) {
  const BucketPlan plan(layout, {.first_bytes = 1 << 18, .bytes = 1 << 20},
                        ranks);
  std::vector<HeldRanges> held;
  for (int r = 0; r < ranks; ++r) held.push_back(all_hold(plan.owned(r)));
  return held;
}

TEST(FileLayoutTest, TensorsStandByNameWithoutGapsBehindAPaddedHeader) {
  const auto files = file_layouts(test_layout(), kAll);
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0].name, "model.safetensors");
  EXPECT_EQ(files[2].name, "ema.safetensors");
  EXPECT_EQ(file_layouts(test_layout(), kNoEma).size(), 2u);
  for (const FileLayout& file : files) {
    EXPECT_EQ(file.header.size() % 4096, 0u);
    const auto parsed = parse_header(
        file.header, static_cast<std::uint64_t>(file.bytes), file.name);
    auto end = static_cast<std::int64_t>(file.header.size());
    for (std::size_t i = 0; i < file.tensors.size(); ++i) {
      EXPECT_EQ(file.tensors[i].bytes.begin, end);
      end = file.tensors[i].bytes.end;
      if (i > 0) {
        EXPECT_LT(file.tensors[i - 1].name, file.tensors[i].name);
      }
    }
    EXPECT_EQ(end, file.bytes);
    EXPECT_EQ(parsed.entries.size(), file.tensors.size());
  }
  EXPECT_EQ(files[0].tensors[0].name, "a.bias");
  // Behind 700 * 1001 elements of b.weight and the gap up to a multiple of 64.
  EXPECT_EQ(files[0].tensors[0].element, 64 * 10949);
  EXPECT_EQ(files[1].tensors[0].name, "exp_avg.a.bias");
  EXPECT_EQ(files[1].tensors[7].buffer, 2);
  EXPECT_EQ(file_layouts(test_layout(), kSgd)[1].tensors.size(), 4u);
}

TEST(HeldPiecesTest, EveryByteOfEveryTensorIsOneElement) {
  const Layout layout = test_layout();
  const FileLayout file = file_layouts(layout, kAll)[1];
  // Cut at places that have nothing to do with tensors or blocks.
  std::vector<Range> ranges;
  for (std::int64_t at = 0; at < layout.size(); at += 64 * 777) {
    ranges.push_back({at, std::min(at + 64 * 777, layout.size())});
  }
  auto at = static_cast<std::int64_t>(file.header.size());
  for (const FilePiece& piece :
       held_pieces(file, {0, file.bytes}, all_hold(ranges))) {
    EXPECT_EQ(piece.bytes.begin, at);
    EXPECT_EQ(piece.bytes.size(), piece.elements.size() * 4);
    at = piece.bytes.end;
  }
  EXPECT_EQ(at, file.bytes);
  EXPECT_TRUE(held_pieces(file, {0, file.bytes}, {}).empty());
}

TEST(WritePlanTest, RanksThatHoldAllShareBlocksEvenlyAndSendNothing) {
  const Layout layout = test_layout();
  const auto files = file_layouts(layout, kAll);
  for (const int ranks : {1, 2, 3, 5, 64}) {
    const std::vector<HeldRanges> held(ranks, all_hold({layout.all()}));
    const WritePlan plan = plan_writes(files, held);
    EXPECT_TRUE(plan.transfers.empty());
    for (std::size_t f = 0; f < files.size(); ++f) {
      const auto& writers = plan.writers[f];
      ASSERT_EQ(static_cast<std::int64_t>(writers.size()),
                files[f].num_blocks());
      EXPECT_TRUE(std::is_sorted(writers.begin(), writers.end()));
      const auto most = (files[f].num_blocks() + ranks - 1) / ranks;
      for (int r = 0; r < ranks; ++r) {
        EXPECT_LE(std::count(writers.begin(), writers.end(), r), most);
      }
    }
  }
}

TEST(WritePlanTest, EachByteOfAShardComesFromAHolderOnce) {
  const Layout layout = test_layout();
  const auto files = file_layouts(layout, kAll);
  for (const int ranks : {2, 3, 4, 7}) {
    const auto held = sharded(layout, ranks);
    const WritePlan plan = plan_writes(files, held);
    EXPECT_FALSE(plan.transfers.empty());
    for (std::size_t f = 0; f < files.size(); ++f) {
      // Where each byte of the file comes from, four bytes a slot.
      std::vector<int> arrivals(static_cast<std::size_t>(files[f].bytes / 4));
      const auto arrive = [&](Range bytes) {
        for (auto at = bytes.begin / 4; at < bytes.end / 4; ++at) {
          ++arrivals[static_cast<std::size_t>(at)];
        }
      };
      for (std::int64_t b = 0; b < files[f].num_blocks(); ++b) {
        const auto writer = static_cast<std::size_t>(
            plan.writers[f][static_cast<std::size_t>(b)]);
        for (const auto& piece :
             held_pieces(files[f], files[f].block(b), held[writer])) {
          arrive(piece.bytes);
        }
      }
      for (const Transfer& transfer : plan.transfers) {
        if (transfer.file != static_cast<int>(f)) continue;
        const auto block = transfer.bytes.begin / kBlock;
        EXPECT_EQ(block, (transfer.bytes.end - 1) / kBlock);
        EXPECT_EQ(transfer.to,
                  plan.writers[f][static_cast<std::size_t>(block)]);
        std::int64_t owned = 0;
        for (const auto& piece :
             held_pieces(files[f], transfer.bytes,
                         held[static_cast<std::size_t>(transfer.from)])) {
          owned += piece.bytes.size();
        }
        EXPECT_EQ(owned, transfer.bytes.size());
        arrive(transfer.bytes);
      }
      for (std::size_t i = 0; i < arrivals.size(); ++i) {
        ASSERT_EQ(arrivals[i], i * 4 < files[f].header.size() ? 0 : 1)
            << "byte " << i * 4 << " of " << files[f].name;
      }
    }
  }
}

TEST(WritePlanTest, PiecesAreTheSmallerPartOfEachBlock) {
  const Layout layout = test_layout();
  const auto files = file_layouts(layout, kNoEma);
  const WritePlan plan = plan_writes(files, sharded(layout, 2));
  std::int64_t sent = 0;
  for (const Transfer& transfer : plan.transfers) sent += transfer.bytes.size();
  EXPECT_LE(sent, (files[0].bytes + files[1].bytes) / 2);
}

TEST(WritePlanTest, ElementsThatNobodyHoldsAreRefused) {
  const Layout layout = test_layout();
  auto held = sharded(layout, 2);
  held[1][2].pop_back();
  EXPECT_THROW(plan_writes(file_layouts(layout, kNoEma), held), Error);
}

TEST(WritePlanTest, HeldRangesTravelAsText) {
  auto held = sharded(test_layout(), 3)[1];
  held[3].clear();
  EXPECT_EQ(held_from_text(to_text(held)), held);
}

}  // namespace
}  // namespace sono
