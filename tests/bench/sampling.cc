// Seconds to make a batch of images with a model of Stable Diffusion 1.5's
// shape: 30 UniPC steps with guidance, then the autoencoder; fp32, random
// weights, texts encoded before. The peer is tests/bench/sampling.py.
//
//   sampling HEIGHT WIDTH BATCH THREADS
//
// HEIGHT and WIDTH are the latents'.

#include <ATen/Parallel.h>

#include <chrono>

#include "core/allocator.h"
#include "core/error.h"
#include "models/diffusion/stable_diffusion.h"
#include "models/nn/frozen.h"
#include "tests/bench/samples.h"
#include "tests/bench/workloads.h"

namespace sono::bench {
namespace {

using Clock = std::chrono::steady_clock;

void measure(const Communicator& comm, std::int64_t height, std::int64_t width,
             std::int64_t batch) {
  UNet unet(stable_diffusion_unet());
  unet.initialize(1);
  AutoencoderKL vae{AutoencoderConfig{}};
  vae.initialize(2);
  const at::Tensor tokens = at::ones({2 * batch, 77, 768});
  TextToImageRequest request;
  request.sampler.kind = "unipc";
  request.sampler.num_steps = 30;
  request.prompts.assign(static_cast<std::size_t>(batch), "");
  for (std::int64_t i = 0; i < batch; ++i) {
    request.seeds.push_back(static_cast<std::uint64_t>(i));
  }
  const auto prepare = Clock::now();
  prepare_frozen(unet);
  const auto start = Clock::now();
  const at::Tensor latents = sample_latents(
      {unet, NoiseScheduleConfig{}}, tokens, {4, height, width}, request);
  const at::Tensor images = decode_latents(vae, latents);
  const auto end = Clock::now();
  const std::string name = "sampling/" + std::to_string(batch) + "/ours";
  const auto seconds = [](auto from, auto to) {
    return std::chrono::duration<double>(to - from).count();
  };
  print(comm, {name, "s", {seconds(start, end)}});
  print(comm, {name + "/prepare", "s", {seconds(prepare, start)}});
}

}  // namespace
}  // namespace sono::bench

int main(int argc, char** argv) {
  sono::keep_freed_memory();  // as sonoforge does
  return sono::bench::bench_main(
      [&](const sono::MpiSession&, sono::Communicator& comm) {
        using sono::bench::parse_count;
        if (argc != 5) {
          throw sono::ConfigError("usage: sampling HEIGHT WIDTH BATCH THREADS");
        }
        at::set_num_threads(parse_count("THREADS", argv[4]));
        sono::bench::measure(comm, parse_count("HEIGHT", argv[1]),
                             parse_count("WIDTH", argv[2]),
                             parse_count("BATCH", argv[3]));
      });
}
