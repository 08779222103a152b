// The training loop on a small network: the same bytes on any number of ranks,
// after any interruption. Under mpirun the same hash is asked of processes.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/random.h"
#include "dist/checkpoint/manifest.h"
#include "dist/checkpoint/verify.h"
#include "models/unet/unet.h"
#include "tests/dist/test_world.h"
#include "trainer/learning_rate.h"
#include "trainer/trainer.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

constexpr int kSteps = 6;

at::Tensor random_tensor(const char* name, std::uint64_t sample,
                         at::IntArrayRef shape) {
  Random random(make_key(name, 5, sample));
  at::Tensor tensor = at::empty(shape, at::kFloat);
  random.fill_normal(tensor.data_ptr<float>(), tensor.numel());
  return tensor;
}

// A convolution and a linear layer on keyed random images.
class SmallTask : public Task {
 public:
  explicit SmallTask(std::int64_t batch_size) : batch_size_(batch_size) {
    at::NoGradGuard no_grad;
    const auto make = [](const char* name, at::IntArrayRef shape) {
      return (random_tensor(name, 0, shape) * 0.2).requires_grad_();
    };
    conv_ = make("conv.weight", {6, 1, 3, 3});
    conv_bias_ = make("conv.bias", {6});
    linear_ = make("linear.weight", {3, 6 * 64});
    linear_bias_ = make("linear.bias", {3});
  }

  NamedTensors parameters() override {
    return {{"conv.weight", conv_},
            {"conv.bias", conv_bias_},
            {"linear.weight", linear_},
            {"linear.bias", linear_bias_}};
  }

  at::Tensor loss(std::int64_t step, std::int64_t begin,
                  std::int64_t end) override {
    if (step == stop_at && stop != nullptr) stop->request();
    std::vector<at::Tensor> images, targets;
    for (std::int64_t i = begin; i < end; ++i) {
      const auto sample = static_cast<std::uint64_t>(step * batch_size_ + i);
      images.push_back(random_tensor("image", sample, {1, 8, 8}));
      targets.push_back(random_tensor("target", sample, {3}));
    }
    at::Tensor x = at::conv2d(at::stack(images), conv_, conv_bias_, 1, 1);
    x = at::linear(at::silu(x).flatten(1), linear_, linear_bias_);
    return (x - at::stack(targets)).square().sum() /
           static_cast<double>(batch_size_);
  }

  std::int64_t stop_at = -1;
  StopSignal* stop = nullptr;

 private:
  std::int64_t batch_size_;
  at::Tensor conv_, conv_bias_, linear_, linear_bias_;
};

TrainConfig small_config() {
  TrainConfig config;
  config.steps = kSteps;
  config.batch_size = 13;  // uneven lanes
  config.lanes = 8;
  config.learning_rate = 1e-2;
  config.schedule = "cosine";
  config.warmup_steps = 2;
  config.ema_decay = 0.9;
  config.checkpoint_every = 2;
  config.seed = 5;
  return config;
}

TrainResult train_small(Communicator& comm, const TrainConfig& config,
                        const fs::path& dir,
                        const std::string& config_hash = "abc") {
  at::set_num_threads(1);
  SmallTask task(config.batch_size);
  StopSignal stop;
  return train(comm, task, config, config_hash, dir, stop, nullptr, "test");
}

// Stops on the last rank, in the middle of step number `step`.
void train_until(Communicator& comm, const TrainConfig& config,
                 const fs::path& dir, std::int64_t step) {
  at::set_num_threads(1);
  SmallTask task(config.batch_size);
  StopSignal stop;
  if (comm.rank() == comm.world_size() - 1) {
    task.stop_at = step;
    task.stop = &stop;
  }
  EXPECT_THROW(train(comm, task, config, "abc", dir, stop, nullptr, "test"),
               StopRequested);
}

std::string hash_of(const fs::path& checkpoint) {
  std::string all;
  for (const char* name : {"model.safetensors", "optimizer.safetensors",
                           "ema.safetensors", "state.json", "manifest.json"}) {
    all += sha256_file(checkpoint / name);
  }
  return sha256_hex(all);
}

fs::path newest(const fs::path& dir) { return list_checkpoints(dir).at(0); }

void damage(const fs::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(4200);
  const char byte = static_cast<char>(stream.get() ^ 1);
  stream.seekp(4200);
  stream.put(byte);
}

class LoopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (under_mpi()) GTEST_SKIP() << "threads only";
    root_ =
        fs::temp_directory_path() / ("sono_loop_" + std::to_string(::getpid()));
    fs::remove_all(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  // A folder with the finished run of one rank.
  fs::path reference() {
    const fs::path dir = root_ / "reference";
    run_local_ranks(
        1, [&](Communicator& comm) { train_small(comm, small_config(), dir); });
    return newest(dir);
  }

  fs::path root_;
};

TEST_F(LoopTest, SameBytesOnAnyNumberOfRanks) {
  const std::string expected = hash_of(reference());
  for (const int ranks : {2, 3, 4, 6, 8, 9}) {
    const fs::path dir = root_ / std::to_string(ranks);
    run_local_ranks(ranks, [&](Communicator& comm) {
      const auto result = train_small(comm, small_config(), dir);
      EXPECT_EQ(result.checkpoint, dir / "step-00000006");
    });
    EXPECT_EQ(hash_of(newest(dir)), expected) << ranks << " ranks";
  }
}

// A small UNet, whose blocks can be recomputed and sharded.
class UNetTask : public Task {
 public:
  UNetTask() : unet_(config()) {
    unet_.initialize(5);
    unet_.requires_grad(true);
  }
  NamedTensors parameters() override { return unet_.named_parameters(); }
  std::vector<const Module*> blocks() override { return unet_.blocks(); }
  at::Tensor loss(std::int64_t step, std::int64_t begin,
                  std::int64_t end) override {
    std::vector<at::Tensor> images;
    for (std::int64_t i = begin; i < end; ++i) {
      const auto sample = static_cast<std::uint64_t>(step * 100 + i);
      images.push_back(random_tensor("image", sample, {2, 8, 8}));
    }
    const at::Tensor x = at::stack(images);
    const at::Tensor t = at::arange(begin, end, at::kLong) * 50;
    return (unet_(x, t) - x).square().sum() / 100.0;
  }

 private:
  static UNetConfig config() {
    UNetConfig config;
    config.in_channels = config.out_channels = 2;
    config.block_out_channels = {32, 64};
    config.attention = {false, true};
    config.norm_num_groups = 4;
    return config;
  }
  UNet unet_;
};

// The hash of a run with these settings, and of the weights left in the task.
std::string run_unet(const fs::path& dir, int ranks, const DistConfig& dist) {
  TrainConfig config = small_config();
  config.steps = 3;
  config.dist = dist;
  std::string weights;
  run_local_ranks(ranks, [&](Communicator& comm) {
    at::set_num_threads(1);
    UNetTask task;
    StopSignal stop;
    train(comm, task, config, "abc", dir, stop, nullptr, "test");
    if (comm.rank() > 0) return;
    for (const auto& [name, tensor] : task.parameters()) {
      const at::Tensor values = tensor.detach().contiguous();
      weights += sha256_hex({static_cast<const char*>(values.const_data_ptr()),
                             static_cast<std::size_t>(values.nbytes())});
    }
  });
  return hash_of(newest(dir)) + weights;
}

TEST_F(LoopTest, EveryZeroStageAndRecomputingGiveTheSameBytes) {
  const std::string expected = run_unet(root_ / "plain", 1, {});
  for (int stage = 0; stage <= 3; ++stage) {
    for (const int ranks : {2, 4}) {
      DistConfig dist;
      dist.zero_stage = stage;
      dist.recompute = stage == 0;
      dist.overlap = ranks == 2;
      dist.first_bucket_mb = dist.bucket_mb = 0.5;
      const auto dir = root_ / (std::to_string(stage) + std::to_string(ranks));
      EXPECT_EQ(run_unet(dir, ranks, dist), expected)
          << "stage " << stage << ", " << ranks << " ranks";
    }
  }
}

TEST_F(LoopTest, StageThreeRefusesRanksWithoutSamples) {
  TrainConfig config = small_config();
  config.dist.zero_stage = 3;
  EXPECT_THROW(run_local_ranks(3,
                               [&](Communicator& comm) {
                                 train_small(comm, config, root_ / "three");
                               }),
               ConfigError);
}

TEST_F(LoopTest, AnotherSeedGivesOtherBytes) {
  // The negative control of the hash: weights do depend on the training.
  const std::string expected = hash_of(reference());
  TrainConfig config = small_config();
  config.learning_rate = 1.001e-2;
  run_local_ranks(1, [&](Communicator& comm) {
    train_small(comm, config, root_ / "other");
  });
  EXPECT_NE(hash_of(newest(root_ / "other")), expected);
}

TEST_F(LoopTest, StopOnOneRankSavesOnAllAndResumesExactly) {
  const std::string expected = hash_of(reference());
  const fs::path dir = root_ / "stopped";
  run_local_ranks(3, [&](Communicator& comm) {
    train_until(comm, small_config(), dir, 2);
  });
  const std::int64_t saved = verify_checkpoint(newest(dir)).step;
  EXPECT_GE(saved, 3);
  EXPECT_LT(saved, kSteps);
  run_local_ranks(
      2, [&](Communicator& comm) { train_small(comm, small_config(), dir); });
  EXPECT_EQ(hash_of(newest(dir)), expected);
}

TEST_F(LoopTest, DamagedNewestFallsBackToTheOneBefore) {
  const std::string expected = hash_of(reference());
  const fs::path dir = root_ / "reference";
  damage(newest(dir) / "model.safetensors");
  EXPECT_THROW(verify_checkpoint(newest(dir)), DataError);
  run_local_ranks(
      4, [&](Communicator& comm) { train_small(comm, small_config(), dir); });
  EXPECT_EQ(hash_of(newest(dir)), expected);
}

TEST_F(LoopTest, TruncatedNewestFallsBackToTheOneBefore) {
  const std::string expected = hash_of(reference());
  const fs::path dir = root_ / "reference";
  fs::resize_file(newest(dir) / "optimizer.safetensors", 5000);
  run_local_ranks(
      2, [&](Communicator& comm) { train_small(comm, small_config(), dir); });
  EXPECT_EQ(hash_of(newest(dir)), expected);
}

TEST_F(LoopTest, FolderWithoutManifestIsPassedOver) {
  const std::string expected = hash_of(reference());
  const fs::path dir = root_ / "reference";
  fs::remove(newest(dir) / "manifest.json");
  run_local_ranks(
      2, [&](Communicator& comm) { train_small(comm, small_config(), dir); });
  EXPECT_EQ(hash_of(newest(dir)), expected);
}

TEST_F(LoopTest, FinishedRunOnlyLoads) {
  const fs::path checkpoint = reference();
  const auto written = fs::last_write_time(checkpoint / "manifest.json");
  run_local_ranks(1, [&](Communicator& comm) {
    SmallTask task(13);
    StopSignal stop;
    const auto before = task.parameters()[0].second.detach().clone();
    const auto result = train(comm, task, small_config(), "abc",
                              root_ / "reference", stop, nullptr, "test");
    EXPECT_EQ(result.loss, verify_checkpoint(checkpoint).loss);
    EXPECT_FALSE(at::equal(task.parameters()[0].second, before));
  });
  EXPECT_EQ(fs::last_write_time(checkpoint / "manifest.json"), written);
}

TEST_F(LoopTest, FinishedTrainingLeavesItsLastCheckpoint) {
  reference();
  const auto kept = list_checkpoints(root_ / "reference");
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].filename(), "step-00000006");
}

TEST_F(LoopTest, AnotherConfigsCheckpointIsRefused) {
  reference();
  try {
    run_local_ranks(2, [&](Communicator& comm) {
      train_small(comm, small_config(), root_ / "reference", "def");
    });
    FAIL() << "accepted";
  } catch (const ConfigError& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("made by config abc"), std::string::npos) << text;
    EXPECT_NE(text.find("config def"), std::string::npos) << text;
    EXPECT_NE(text.find("another output folder"), std::string::npos) << text;
  }
}

TEST_F(LoopTest, LossFallsAndIsLogged) {
  TrainConfig config = small_config();
  config.steps = 40;
  config.checkpoint_every = 0;
  JsonLines log(root_ / "log.jsonl");
  fs::create_directories(root_);
  run_local_ranks(2, [&](Communicator& comm) {
    at::set_num_threads(1);
    SmallTask task(config.batch_size);
    StopSignal stop;
    train(comm, task, config, "abc", root_ / "run", stop, &log, "test");
  });
  std::ifstream stream(root_ / "log.jsonl");
  std::vector<double> losses;
  for (std::string line; std::getline(stream, line);) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json.at("step"), losses.size() + 1);
    losses.push_back(json.at("loss"));
  }
  ASSERT_EQ(losses.size(), 40u);
  EXPECT_LT(losses.back(), 0.7 * losses.front());
}

TEST(LearningRateTest, WarmsUpThenFalls) {
  const LearningRate rate{2.0, "cosine", 4, 104};
  EXPECT_DOUBLE_EQ(rate.at(0), 0.5);
  EXPECT_DOUBLE_EQ(rate.at(3), 2.0);
  EXPECT_DOUBLE_EQ(rate.at(4), 2.0);
  EXPECT_NEAR(rate.at(54), 1.0, 1e-12);
  EXPECT_NEAR(rate.at(104), 0.0, 1e-12);
  EXPECT_DOUBLE_EQ((LearningRate{2.0, "constant", 0, 9}.at(8)), 2.0);
}

TEST(TrainConfigTest, OutOfRangeNamesTheOption) {
  TrainConfig config;
  config.learning_rate = -1;
  try {
    config.validate("adapt");
    FAIL() << "accepted";
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("adapt.learning_rate"),
              std::string::npos);
  }
  config = TrainConfig();
  config.schedule = "linear";
  EXPECT_THROW(config.validate("adapt"), ConfigError);
}

// Under mpirun: the processes' run equals the run of one rank in rank 0.
TEST(MpiLoopTest, ProcessesGiveTheBytesOfOneRank) {
  if (!under_mpi()) GTEST_SKIP() << "needs mpirun";
  const auto comm = make_mpi_communicator(mpi_session(), 60);
  const fs::path root =
      fs::temp_directory_path() /
      broadcast_string(*comm, "sono_mpi_loop_" + std::to_string(::getpid()));
  train_until(*comm, small_config(), root / "mpi", 1);
  train_small(*comm, small_config(), root / "mpi");
  comm->barrier();
  if (comm->rank() == 0) {
    run_local_ranks(1, [&](Communicator& alone) {
      train_small(alone, small_config(), root / "alone");
    });
    EXPECT_EQ(hash_of(newest(root / "mpi")), hash_of(newest(root / "alone")));
    fs::remove_all(root);
  }
  comm->barrier();
}

}  // namespace
}  // namespace sono
