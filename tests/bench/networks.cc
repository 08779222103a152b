// Time and memory of the networks of Stable Diffusion 1.5's shape, fp32, random
// weights; the peer is tests/bench/networks.py.
//
//   networks WORKLOAD HEIGHT WIDTH BATCH ROUNDS
//     unet_forward   both halves of the guidance of BATCH images, no gradients:
//                    as it comes, and with frozen forms, text and times kept
//     unet_backward  BATCH images, frozen weights, gradient of the sample: as
//                    it comes, and with frozen forms
//     vae_decode, vae_encode   BATCH images of 8 HEIGHT x 8 WIDTH pixels
// HEIGHT and WIDTH are the latents'.

#include <sys/resource.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/nn/frozen.h"
#include "models/unet/unet.h"
#include "models/vae/autoencoder_kl.h"
#include "tests/bench/workloads.h"

namespace {

using sono::UNet;

struct Arguments {
  std::string workload;
  std::int64_t height, width, batch;
  int rounds;
};

void print(const std::string& name, const char* unit,
           const std::vector<double>& values) {
  std::cout << nlohmann::json{{"series", "networks/" + name},
                              {"unit", unit},
                              {"values", values},
                              {"ranks", 1}}
                   .dump()
            << std::endl;
}

void measure(const std::string& name, int rounds,
             const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  work();
  std::vector<double> values;
  for (int i = 0; i < rounds; ++i) {
    const Clock::time_point start = Clock::now();
    work();
    values.push_back(
        std::chrono::duration<double>(Clock::now() - start).count());
  }
  print(name, "s", values);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  print(name + "/peak_resident", "bytes",
        {static_cast<double>(usage.ru_maxrss) * 1024});
}

void measure_forward(const Arguments& a, UNet& unet) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = at::ones({2 * a.batch, 4, a.height, a.width});
  const at::Tensor t = at::full({2 * a.batch}, 500, at::kLong);
  const at::Tensor text = at::ones({2 * a.batch, 77, 768});
  measure("unet_forward/plain", a.rounds, [&] { unet(x, t, {.text = text}); });
  sono::prepare_frozen(unet);
  measure("unet_forward/frozen", a.rounds, [&] { unet(x, t, {.text = text}); });
  const sono::TextContext context = unet.prepare_text(text);
  measure("unet_forward/frozen_text", a.rounds,
          [&] { unet(x, t, {.prepared_text = &context}); });
  const sono::TimeTable times = unet.prepare_times({500, 250});
  measure("unet_forward/frozen_text_times", a.rounds, [&] {
    unet(x, {}, {.prepared_text = &context, .times = &times, .step = 1});
  });
}

void measure_backward(const Arguments& a, UNet& unet) {
  const at::Tensor x = at::ones({a.batch, 4, a.height, a.width});
  const at::Tensor t = at::full({a.batch}, 500, at::kLong);
  const at::Tensor text = at::ones({a.batch, 77, 768});
  const auto step = [&] {
    const at::Tensor sample = x.clone().requires_grad_();
    unet(sample, t, {.text = text}).square().mean().backward();
  };
  measure("unet_backward/plain", a.rounds, step);
  // Only where maps are large beside the weights.
  sono::prepare_frozen(unet, std::int64_t{600} << 20);
  measure("unet_backward/frozen_600MB", a.rounds, step);
  sono::prepare_frozen(unet);
  measure("unet_backward/frozen", a.rounds, step);
}

void measure_vae(const Arguments& a) {
  const at::NoGradGuard no_grad;
  sono::AutoencoderKL vae{sono::AutoencoderConfig{}};
  vae.initialize(1);
  const bool decode = a.workload == "vae_decode";
  const at::Tensor latent = at::ones({a.batch, 4, a.height, a.width});
  const at::Tensor image = at::ones({a.batch, 3, 8 * a.height, 8 * a.width});
  const auto work = [&] {
    decode ? vae.decode(latent) : vae.encode(image).mean;
  };
  measure(a.workload + "/plain", a.rounds, work);
  sono::prepare_frozen(vae);
  measure(a.workload + "/frozen", a.rounds, work);
}

void run(const Arguments& a) {
  if (a.workload.starts_with("vae_")) return measure_vae(a);
  UNet unet(sono::bench::stable_diffusion_unet());
  unet.initialize(1);
  if (a.workload == "unet_forward") {
    measure_forward(a, unet);
  } else if (a.workload == "unet_backward") {
    measure_backward(a, unet);
  } else {
    throw sono::ConfigError(a.workload +
                            ": choose unet_forward, unet_backward, vae_decode "
                            "or vae_encode");
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 6) {
      throw sono::ConfigError(
          "usage: networks WORKLOAD HEIGHT WIDTH BATCH ROUNDS");
    }
    run({argv[1], std::stoll(argv[2]), std::stoll(argv[3]), std::stoll(argv[4]),
         std::stoi(argv[5])});
    return 0;
  } catch (const sono::Error& error) {
    std::cerr << error.what() << std::endl;
    return error.exit_code();
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
}
