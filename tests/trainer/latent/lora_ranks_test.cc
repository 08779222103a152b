// LoRA training gives the same bytes on any number of ranks, sharded or not,
// stopped or not; and what the samples of a training are.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "core/error.h"
#include "core/hash.h"
#include "dist/checkpoint/manifest.h"
#include "tests/dist/test_world.h"
#include "tests/trainer/latent/lora_case.h"
#include "tests/trainer/latent/mixed_values.h"
#include "trainer/trainer.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBatch = 5;
const std::string kCase =
    SONO_SOURCE_DIR "/tests/parity/fixtures/lora_training_velocity.safetensors";

// Seven images of two shapes, in two versions.
LatentExamples examples() {
  LatentExamples all;
  for (int i = 0; i < 7; ++i) all.shapes.emplace_back(8, i % 3 == 0 ? 4 : 6);
  all.variants = 2;
  all.empty_text = at::zeros({5, 6});
  all.get = [shapes = all.shapes](std::int64_t index, std::int64_t variant) {
    const auto [height, width] = shapes.at(static_cast<std::size_t>(index));
    const auto stream = static_cast<std::uint64_t>(10 * index + variant);
    return LatentExample{mixed(stream, {4, height, width}),
                         mixed(stream + 5, {4, height, width}) - 2,
                         mixed(stream + 1000, {5, 6})};
  };
  return all;
}

LatentDrawConfig draw_config() {
  LatentDrawConfig config;
  config.batch_size = kBatch;
  config.seed = 3;
  config.noise_offset = 0.1;
  config.caption_dropout = 0.2;
  return config;
}

// One training on `comm`; the hash of its checkpoint.
std::string train_tiny(Communicator& comm, const fs::path& dir,
                       const DistConfig& dist = {}, std::int64_t stop_at = -1,
                       double dropout = 0.1) {
  at::set_num_threads(1);
  LoraCase tiny(kCase);
  tiny.lora.set_dropout(dropout, 3);
  LatentDraws draws(examples(), draw_config());
  StopSignal stop;
  LatentTaskConfig task_config = tiny.task_config();
  task_config.batch_size = kBatch;
  task_config.min_snr_gamma = 5;
  LatentTask task(
      tiny.networks(), [&](std::uint64_t n) { return draws(n); }, task_config);
  task.on_step = [&](std::int64_t done) {
    if (done == stop_at) stop.request();
  };
  TrainConfig config = tiny.train_config();
  config.steps = 4;
  config.batch_size = kBatch;
  config.lanes = 4;
  config.ema_decay = 0.9;
  config.checkpoint_every = 3;
  config.dist = dist;
  const auto result =
      train(comm, task, config, "abc", dir, stop, nullptr, "test");
  std::string all;
  for (const char* name : {"model.safetensors", "optimizer.safetensors",
                           "ema.safetensors", "state.json", "manifest.json"}) {
    all += sha256_file(result.checkpoint / name);
  }
  return sha256_hex(all);
}

fs::path fresh_folder(const std::string& name) {
  const fs::path folder = fs::temp_directory_path() /
                          ("sono_lora_" + std::to_string(::getpid()) + name);
  fs::remove_all(folder);
  return folder;
}

std::string on_one_rank(double dropout = 0.1) {
  const fs::path dir = fresh_folder("one");
  const auto comm = make_single_rank();
  const std::string hash = train_tiny(*comm, dir, {}, -1, dropout);
  fs::remove_all(dir);
  return hash;
}

// Also run by mpirun, as processes.
TEST(LoraRanks, SameBytesOnAnyNumberOfRanks) {
  const std::string expected = on_one_rank();
  for (const int ranks : rank_counts({2, 4})) {
    fs::path dir = fresh_folder("many");
    run_world(ranks, [&](Communicator& comm) {
      const fs::path shared = broadcast_string(comm, dir.string());
      EXPECT_EQ(train_tiny(comm, shared), expected) << comm.world_size();
      comm.barrier();
    });
    fs::remove_all(dir);
  }
}

class LoopTest : public testing::Test {};  // not under mpirun

TEST_F(LoopTest, EveryZeroStageGivesTheSameBytes) {
  const std::string expected = on_one_rank();
  for (int stage = 0; stage <= 2; ++stage) {
    DistConfig dist;
    dist.zero_stage = stage;
    const fs::path dir = fresh_folder("stage");
    run_local_ranks(2, [&](Communicator& comm) {
      EXPECT_EQ(train_tiny(comm, dir, dist), expected) << stage;
    });
    fs::remove_all(dir);
  }
}

TEST_F(LoopTest, RecomputingGivesTheSameBytes) {
  const std::string expected = on_one_rank(/*dropout=*/0);
  DistConfig dist;
  dist.recompute = true;
  const fs::path dir = fresh_folder("recompute");
  run_local_ranks(2, [&](Communicator& comm) {
    EXPECT_EQ(train_tiny(comm, dir, dist, -1, /*dropout=*/0), expected);
  });
  fs::remove_all(dir);
}

TEST_F(LoopTest, AStoppedTrainingGoesOnExactly) {
  const std::string expected = on_one_rank();
  const fs::path dir = fresh_folder("stopped");
  EXPECT_THROW(
      run_local_ranks(
          2, [&](Communicator& comm) { train_tiny(comm, dir, {}, 2); }),
      StopRequested);
  run_local_ranks(4, [&](Communicator& comm) {
    EXPECT_EQ(train_tiny(comm, dir), expected);
  });
  fs::remove_all(dir);
}

TEST(LatentDraws, ASampleIsAFunctionOfItsNumber) {
  LatentDraws draws(examples(), draw_config());
  const LatentDraw there = draws(30), back = (draws(2), draws(30));
  EXPECT_TRUE(at::equal(there.latent, back.latent));
  EXPECT_TRUE(at::equal(there.noise, back.noise));
  EXPECT_EQ(there.timestep, back.timestep);
  EXPECT_FALSE(at::equal(draws(31).noise, there.noise));
}

TEST(LatentDraws, EachVisitDrawsThePosteriorAnewAndTurnsTheVersion) {
  LatentDrawConfig config = draw_config();
  config.batch_size = 1;
  LatentExamples one = examples();
  one.shapes.resize(1);
  std::vector<std::int64_t> versions;
  one.get = [&versions, get = one.get](std::int64_t i, std::int64_t variant) {
    versions.push_back(variant);
    return get(i, variant);
  };
  LatentDraws draws(one, config);
  const at::Tensor first = draws(0).latent, third = (draws(1), draws(2).latent);
  EXPECT_EQ(versions, (std::vector<std::int64_t>{0, 1, 0}));
  EXPECT_GT((first - third).abs().max().item<double>(), 1e-3);
}

TEST(LatentDraws, PosteriorHasItsMoments) {
  LatentExamples one = examples();
  one.shapes = {{64, 64}};
  one.variants = 1;
  one.get = [](std::int64_t, std::int64_t) {
    return LatentExample{at::full({4, 64, 64}, 2.0),
                         at::full({4, 64, 64}, std::log(0.25)),
                         at::zeros({5, 6})};
  };
  LatentDrawConfig config;
  config.scaling_factor = 0.5;
  const at::Tensor latent = LatentDraws(one, config)(0).latent;
  EXPECT_NEAR(latent.mean().item<double>(), 1, 0.01);
  EXPECT_NEAR(latent.std().item<double>(), 0.25, 0.01);
}

TEST(LatentDraws, CaptionsAreHiddenAsOftenAsAsked) {
  LatentDraws draws(examples(), draw_config());
  int hidden = 0;
  for (std::uint64_t n = 0; n < 1000; ++n) {
    hidden += draws(n).text.abs().max().item<double>() == 0;
  }
  EXPECT_NEAR(hidden, 200, 40);
}

TEST(LatentDraws, NoImagesAreRefused) {
  EXPECT_THROW(LatentDraws(LatentExamples{}, {}), DataError);
}

TEST(EpochOrder, EveryEpochTakesEachOnceAndBatchesHaveOneShape) {
  std::vector<std::pair<std::int64_t, std::int64_t>> shapes;
  for (int i = 0; i < 23; ++i) shapes.emplace_back(8, i % 2 ? 8 : 16);
  EpochOrder order(shapes, 4, 9);
  std::vector<std::vector<std::int64_t>> epochs(3);
  for (std::uint64_t n = 0; n < 69; ++n) {
    const auto place = order.at(n);
    EXPECT_EQ(place.epoch, static_cast<std::int64_t>(n / 23));
    epochs[n / 23].push_back(place.index);
  }
  for (const auto& epoch : epochs) {
    EXPECT_EQ(std::set<std::int64_t>(epoch.begin(), epoch.end()).size(), 23u);
    for (std::size_t batch = 0; batch < 5; ++batch) {  // whole ones of 12 + 11
      for (std::size_t i = 1; i < 4; ++i) {
        EXPECT_EQ(shapes[epoch[4 * batch + i]], shapes[epoch[4 * batch]]);
      }
    }
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_EQ(EpochOrder(shapes, 4, 9).at(40).index, order.at(40).index);
  EXPECT_NE(epochs[0].front() == EpochOrder(shapes, 4, 10).at(0).index &&
                epochs[0].back() == EpochOrder(shapes, 4, 10).at(22).index,
            true);
}

}  // namespace
}  // namespace sono
