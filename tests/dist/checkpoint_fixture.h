#pragma once
// Arenas with known contents and a folder for their checkpoints.

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "core/random.h"
#include "dist/checkpoint/manifest.h"
#include "dist/checkpoint/store.h"
#include "tests/dist/test_world.h"

namespace sono {

// About 3.2 MB of parameters, so that files have several blocks.
inline NamedTensors checkpoint_parameters(std::uint64_t seed) {
  NamedTensors parameters;
  for (const auto& [name, count] :
       std::vector<std::pair<std::string, std::int64_t>>{
           {"b.weight", 700001}, {"a.bias", 33}, {"c.scale", 100000}}) {
    Random random(make_key(name, seed));
    at::Tensor tensor = at::empty({count}, at::kFloat);
    random.fill_normal(tensor.data_ptr<float>(), tensor.numel());
    parameters.emplace_back(name, tensor.requires_grad_());
  }
  return parameters;
}

// Fills what is held: params as given, 2x, x^2 and 3x of them in the rest.
inline void fill_arena(Arena& arena, const at::Tensor& params) {
  const auto fill = [](FlatBuffer& buffer, const at::Tensor& values) {
    for (const Range& range : buffer.ranges()) {
      buffer.view(range).copy_(values.narrow(0, range.begin, range.size()));
    }
  };
  fill(arena.params, params);
  fill(arena.exp_avg, params * 2);
  fill(arena.exp_avg_sq, params.square());
  fill(arena.ema, params * 3);
}

// The arena of one rank; `stage` 3 is stage 2 with sharded parameters too.
// Buckets are small, so that shards have many edges.
inline Arena make_arena(std::uint64_t seed, int stage = 0, int rank = 0,
                        int world_size = 1) {
  Arena arena(checkpoint_parameters(seed),
              {.with_ema = true,
               .zero_stage = std::min(stage, 2),
               .rank = rank,
               .world_size = world_size,
               .buckets = {.first_bytes = 1 << 18, .bytes = 1 << 20}});
  const at::Tensor params = arena.params.data.clone();
  if (stage == 3) arena.params = FlatBuffer(arena.owned(), params.options());
  fill_arena(arena, params);
  return arena;
}

inline Arena make_arena(std::uint64_t seed, int stage, Communicator& comm) {
  return make_arena(seed, stage, comm.rank(), comm.world_size());
}

// What `mine` holds equals that part of `whole`.
inline void expect_equal(const FlatBuffer& mine, const FlatBuffer& whole) {
  for (const Range& range : mine.ranges()) {
    EXPECT_TRUE(at::equal(mine.view(range), whole.view(range)));
  }
}

inline void expect_equal(const Arena& mine, const Arena& whole) {
  expect_equal(mine.params, whole.params);
  expect_equal(mine.exp_avg, whole.exp_avg);
  expect_equal(mine.exp_avg_sq, whole.exp_avg_sq);
  expect_equal(mine.ema, whole.ema);
}

inline CheckpointState make_state(std::int64_t step) {
  CheckpointState state;
  state.step = step;
  state.optimizer = {step - 1, 1, 0};
  state.seed = 9;
  state.lanes = 4;
  state.config_hash = "abc";
  state.loss = 0.1;
  return state;
}

class CheckpointFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    if (under_mpi()) GTEST_SKIP() << "threads only";
    root_ = std::filesystem::temp_directory_path() /
            ("sono_checkpoint_" + std::to_string(::getpid()));
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  void TearDown() override {
    if (!root_.empty()) std::filesystem::remove_all(root_);
  }

  // Saves make_arena(1, stage) from `ranks` threads; the checkpoint's folder.
  std::filesystem::path save(int ranks, int stage, std::int64_t step,
                             const std::filesystem::path& root) {
    run_local_ranks(ranks, [&](Communicator& comm) {
      const Arena arena = make_arena(1, stage, comm);
      CheckpointStore store(comm, root, arena);
      store.save(make_state(step));
      store.wait_copied();
      store.finish();
    });
    return root / checkpoint_name(step);
  }

  std::filesystem::path root_;
};

}  // namespace sono
