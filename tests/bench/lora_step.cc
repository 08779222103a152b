// Time and peak memory of LoRA training steps on a UNet of Stable Diffusion
// 1.5's size, with cached latents and texts, through the whole training loop.
// The peer is tests/bench/lora_step.py, which also makes the weights.
//
//   lora_step FOLDER SIDE RANK STEPS [MODE [MB]]
//
// FOLDER/unet as diffusers saves it; latents of SIDE x SIDE, batch 1. MODE is
// "ours" or "recompute"; MB of memory go to faster forms of frozen weights
// (models/nn/frozen.h), by default as many as a training takes.

#include <ATen/Parallel.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "core/allocator.h"
#include "core/error.h"
#include "core/random.h"
#include "models/io/weight_file.h"
#include "models/nn/frozen.h"
#include "models/unet/config_file.h"
#include "tests/bench/samples.h"
#include "trainer/latent_task.h"
#include "trainer/trainer.h"

namespace fs = std::filesystem;

namespace sono::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kThreads = 2;
constexpr std::int64_t kImages = 8;
constexpr std::int64_t kDefaultMegabytes = 0;  // as LoraRecipe's frozen_mb
constexpr int kWarmUpSteps = 2;                // not counted

at::Tensor normal(std::uint64_t number, at::IntArrayRef shape) {
  at::Tensor values = at::empty(shape, at::kFloat);
  Random(make_key("bench", number))
      .fill_normal(values.data_ptr<float>(),
                   static_cast<std::size_t>(values.numel()));
  return values;
}

LatentExamples cached_examples(std::int64_t side, std::int64_t text_width) {
  std::vector<LatentExample> all;
  for (std::uint64_t i = 0; i < kImages; ++i) {
    all.push_back({normal(3 * i, {4, side, side}),
                   normal(3 * i + 1, {4, side, side}) - 4,
                   normal(3 * i + 2, {77, text_width})});
  }
  LatentExamples examples;
  examples.shapes.assign(kImages, {side, side});
  examples.get = [all](std::int64_t index, std::int64_t) {
    return all.at(static_cast<std::size_t>(index));
  };
  return examples;
}

std::vector<double> step_times(Communicator& comm, UNet& unet, LoraSet& lora,
                               int side, int steps, bool recompute) {
  LatentDraws draws(cached_examples(side, unet.config().cross_attention_dim),
                    {});
  LatentTask task({unet, &lora}, [&](std::uint64_t n) { return draws(n); }, {});
  std::vector<double> seconds;
  auto start = Clock::now();
  task.on_step = [&](std::int64_t done) {
    const auto now = Clock::now();
    if (done > kWarmUpSteps) {
      seconds.push_back(std::chrono::duration<double>(now - start).count());
    }
    start = now;
  };
  TrainConfig config;
  config.steps = steps + kWarmUpSteps;
  config.batch_size = 1;
  config.lanes = 1;
  config.checkpoint_every = 0;
  config.dist.recompute = recompute;
  const fs::path dir = fs::temp_directory_path() / "sono_lora_step";
  fs::remove_all(dir);
  StopSignal stop;
  train(comm, task, config, "bench", dir, stop, nullptr, "bench");
  fs::remove_all(dir);
  return seconds;
}

double peak_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return 1024.0 * static_cast<double>(usage.ru_maxrss);
}

void measure(Communicator& comm, int argc, char** argv) {
  if (argc < 5) {
    throw ConfigError("usage: lora_step FOLDER SIDE RANK STEPS [MODE [MB]]");
  }
  const fs::path folder = fs::path(argv[1]) / "unet";
  const int side = parse_count("SIDE", argv[2]);
  const int rank = parse_count("RANK", argv[3]);
  const int steps = parse_count("STEPS", argv[4]);
  const std::string mode = argc > 5 ? argv[5] : "ours";
  const std::int64_t megabytes =
      argc > 6 ? std::stoll(argv[6]) : kDefaultMegabytes;
  at::set_num_threads(kThreads);
  UNet unet(read_unet_config(ConfigJson(folder / "config.json")));
  const fs::path weights = folder / "diffusion_pytorch_model.safetensors";
  unet.adopt_state(map_weights(weights), weights.string());
  LoraConfig config;
  config.rank = rank;
  LoraSet lora(unet, choose_targets(unet, config, "unet", "lora"));
  lora.initialize(1);
  prepare_frozen(unet, megabytes << 20);
  const std::string name = "lora_step/" + mode + "/" + argv[2] + "/r" + argv[3];
  print(comm, {name + "/time", "s",
               step_times(comm, unet, lora, side, steps, mode == "recompute")});
  print(comm, {name + "/memory", "bytes", {peak_bytes()}});
}

}  // namespace
}  // namespace sono::bench

int main(int argc, char** argv) {
  sono::keep_freed_memory();  // as sonoforge does
  return sono::bench::bench_main(
      [&](const sono::MpiSession&, sono::Communicator& comm) {
        sono::bench::measure(comm, argc, argv);
      });
}
