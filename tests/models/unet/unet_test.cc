// The UNet against diffusers' UNet2DModel (tests/parity/unet.py), and what its
// config refuses.

#include "models/unet/unet.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/safetensors_header.h"
#include "models/io/safetensors.h"

namespace sono {
namespace {

// fp32 of the same formula in another order of additions.
constexpr double kTolerance = 1e-4;

std::string fixture_path() {
  const char* other = std::getenv("UNET_FIXTURE");
  return other ? other
               : SONO_SOURCE_DIR "/tests/parity/fixtures/unet.safetensors";
}

UNetConfig config_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const auto json = nlohmann::json::parse(
      parse_header(bytes, bytes.size(), path).metadata.at("config"));
  UNetConfig config;
  config.in_channels = json.at("in_channels");
  config.out_channels = json.at("out_channels");
  config.block_out_channels =
      json.at("block_out_channels").get<std::vector<std::int64_t>>();
  config.attention = json.at("attention").get<std::vector<bool>>();
  config.layers_per_block = json.at("layers_per_block");
  config.attention_head_dim = json.at("attention_head_dim");
  config.norm_num_groups = json.at("norm_num_groups");
  config.norm_eps = json.at("norm_eps");
  config.flip_sin_to_cos = json.at("flip_sin_to_cos");
  config.freq_shift = json.at("freq_shift");
  config.num_class_embeds = json.at("num_class_embeds");
  return config;
}

class UNetParity : public testing::Test {
 protected:
  UNetParity()
      : fixture(load_safetensors(fixture_path())),
        unet(config_of(fixture_path())) {
    StateDict state;
    for (const auto& [name, tensor] : fixture) {
      if (name.rfind("param.", 0) == 0) state[name.substr(6)] = tensor;
    }
    unet.load_state(state, fixture_path());
  }

  at::Tensor run() const {
    return unet(fixture.at("input.sample"), fixture.at("input.timesteps"),
                fixture.at("input.class_ids"));
  }
  double error() const {
    const at::NoGradGuard no_grad;
    return (run() - fixture.at("output")).abs().max().item<double>();
  }

  StateDict fixture;
  UNet unet;
};

TEST_F(UNetParity, OutputEqualsDiffusers) { EXPECT_LT(error(), kTolerance); }

TEST_F(UNetParity, EveryParameterMatters) {
  // The negative control, for each tensor: a shift in it must show. A bias of
  // the keys alone cannot (softmax takes no notice of it).
  const at::NoGradGuard no_grad;
  const at::Tensor before = run();
  for (auto& [name, tensor] : unet.named_parameters()) {
    if (name.ends_with("to_k.bias")) continue;
    const at::Tensor kept = tensor.clone();
    tensor.add_(at::linspace(0.1, 0.5, tensor.numel()).view(tensor.sizes()));
    EXPECT_GT((run() - before).abs().max().item<double>(), 1e-7) << name;
    tensor.copy_(kept);
  }
  EXPECT_LT(error(), kTolerance);
}

TEST_F(UNetParity, GradientsEqualDiffusers) {
  unet.requires_grad(true);
  run().square().mean().backward();
  int compared = 0;
  for (const auto& [name, tensor] : unet.named_parameters()) {
    const auto wanted = fixture.find("grad." + name);
    if (wanted == fixture.end()) continue;
    const double scale = std::max(1e-3, wanted->second.norm().item<double>());
    EXPECT_LT((tensor.grad() - wanted->second).norm().item<double>(),
              1e-4 * scale)
        << name;
    ++compared;
  }
  EXPECT_GT(compared, 20);
}

TEST_F(UNetParity, WrongTimestepShows) {
  fixture["input.timesteps"] = fixture.at("input.timesteps") + 1;
  EXPECT_GT(error(), 1e-5);
}

TEST(UNet, OddSizesComeBack) {
  UNetConfig config;
  config.block_out_channels = {4, 4, 8};
  config.attention = {false, false, true};
  config.layers_per_block = 1;
  config.attention_head_dim = 4;
  config.norm_num_groups = 2;
  UNet unet(config);
  unet.initialize(1);
  const at::NoGradGuard no_grad;
  for (const auto& [height, width] : {std::pair{11, 13}, {22, 32}, {5, 7}}) {
    const at::Tensor x = at::ones({2, 3, height, width});
    EXPECT_EQ(unet(x, at::tensor({3, 9})).sizes(), x.sizes());
  }
}

TEST(UNet, RefusesConfigsThatDoNotFit) {
  UNetConfig config;
  config.attention = {true};
  EXPECT_THROW(UNet{config}, ConfigError);
  config = UNetConfig{};
  config.norm_num_groups = 5;
  EXPECT_THROW(UNet{config}, ConfigError);
  config = UNetConfig{};
  config.attention_head_dim = 13;
  EXPECT_THROW(UNet{config}, ConfigError);
}

}  // namespace
}  // namespace sono
