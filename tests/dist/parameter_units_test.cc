// Parameters that come and go: right values while they are here, no memory
// otherwise.

#include "dist/parameter_units.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/dist/test_world.h"

namespace sono {
namespace {

constexpr std::int64_t kBlock = BucketPlan::kBlock;

// between, block 0, block 1, between, block 2
const EntryRanges kBlocks = {{1, 3}, {3, 4}, {5, 6}};

NamedTensors make_parameters() {
  NamedTensors parameters = {
      {"head", at::arange(10).to(at::kFloat)},
      {"a.weight", at::arange(kBlock + 3).to(at::kFloat)},
      {"a.bias", at::full({7}, 2.0f)},
      {"b.weight", at::full({2, kBlock}, 3.0f)},
      {"middle", at::full({100}, 4.0f)},
      {"c.weight", at::full({300}, 5.0f)}};
  for (auto& [name, tensor] : parameters) tensor.requires_grad_();
  return parameters;
}

ArenaOptions arena_options(const Communicator& comm) {
  ArenaOptions options;
  options.zero_stage = 3;
  options.rank = comm.rank();
  options.world_size = comm.world_size();
  options.buckets = {.first_bytes = 1, .bytes = 8 * kBlock};
  return options;
}

std::size_t memory_of(const Arena& arena, std::size_t entry) {
  return arena.parameters()[entry].second.storage().nbytes();
}

void expect_value(const Arena& arena, std::size_t entry,
                  const at::Tensor& value) {
  EXPECT_TRUE(at::equal(arena.parameters()[entry].second, value))
      << arena.parameters()[entry].first;
}

TEST(ParameterUnitsTest, BlocksAreHereOnlyWhileAcquired) {
  const NamedTensors original = make_parameters();
  for (const int ranks : {1, 2, 3, 5}) {
    for (const bool threaded : {false, true}) {
      run_world(ranks, [&](Communicator& comm) {
        Arena arena(make_parameters(), arena_options(comm));
        CommQueue queue(comm, threaded);
        ParameterUnits units(queue, arena, kBlocks);
        expect_value(arena, 0, original[0].second);
        expect_value(arena, 4, original[4].second);
        EXPECT_EQ(memory_of(arena, 1), 0u);
        for (int pass = 0; pass < 3; ++pass) {  // later ones fetch ahead
          units.begin_pass();
          for (const std::size_t block : {0, 1, 2, 2, 1, 0}) {
            units.acquire(block);
            for (auto i = kBlocks[block].first; i < kBlocks[block].second;
                 ++i) {
              expect_value(arena, i, original[i].second);
            }
            units.release(block);
          }
          for (const std::size_t i : {1, 2, 3, 5}) {
            EXPECT_EQ(memory_of(arena, i), 0u) << "entry " << i;
          }
        }
      });
    }
  }
}

TEST(ParameterUnitsTest, PeakIsWhatStaysAndTwoBlocks) {
  run_local_ranks(2, [](Communicator& comm) {
    Arena arena(make_parameters(), arena_options(comm));
    CommQueue queue(comm, true);
    ParameterUnits units(queue, arena, kBlocks);
    for (int pass = 0; pass < 2; ++pass) {
      units.begin_pass();
      for (const std::size_t block : {0, 1, 2}) {
        units.acquire(block);
        units.release(block);
      }
    }
    const auto bytes = [&](std::size_t first, std::size_t last) {
      const auto& entries = arena.layout().entries();
      const auto end =
          last < entries.size() ? entries[last].offset : arena.layout().size();
      return 4 * (end - entries[first].offset);
    };
    const std::int64_t stays = bytes(0, 1) + bytes(4, 5);
    EXPECT_EQ(units.bytes(), stays);
    EXPECT_EQ(units.peak_bytes(), stays + bytes(1, 3) + bytes(3, 4));
  });
}

TEST(ParameterUnitsTest, UpdatesReachWhatStaysAndWhatIsFetched) {
  run_local_ranks(3, [](Communicator& comm) {
    Arena arena(make_parameters(), arena_options(comm));
    CommQueue queue(comm, true);
    ParameterUnits units(queue, arena, kBlocks);
    arena.params.data.add_(1);
    units.refresh();
    expect_value(arena, 4, at::full({100}, 5.0f));
    units.acquire(2);
    expect_value(arena, 5, at::full({300}, 6.0f));
    units.unshard();
    expect_value(arena, 2, at::full({7}, 3.0f));
    expect_value(arena, 3, at::full({2, kBlock}, 4.0f));
  });
}

TEST(ParameterUnitsTest, BlocksOutOfOrderAreRefused) {
  run_local_ranks(1, [](Communicator& comm) {
    Arena arena(make_parameters(), arena_options(comm));
    CommQueue queue(comm, false);
    EXPECT_THROW(ParameterUnits(queue, arena, {{3, 4}, {1, 3}}), Error);
  });
}

}  // namespace
}  // namespace sono
