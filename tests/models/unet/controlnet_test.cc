// ControlNet against diffusers' ControlNetModel (tests/parity/networks.py).

#include "models/unet/controlnet.h"

#include <gtest/gtest.h>

#include "models/unet/config_file.h"
#include "tests/models/peer_weights.h"

namespace sono {
namespace {

constexpr double kTolerance = 1e-4, kFullTolerance = 1e-3;

class ControlNetParity : public testing::Test {
 protected:
  ControlNetParity()
      : fixture("controlnet"),
        net(read_controlnet_config(fixture.config())),
        tolerance(fixture.full() ? kFullTolerance : kTolerance) {
    draw_peer_weights(net);
  }

  ControlResiduals run(const ControlStrength& strength) const {
    const at::NoGradGuard no_grad;
    return net(fixture["input.sample"], fixture["input.timesteps"],
               {.text = fixture["input.text"]}, fixture["input.image"],
               strength);
  }
  // Of the second of the batch, which the fixture holds.
  double error(const at::Tensor& got, const std::string& key) const {
    return fixture.error(got.slice(0, 1), "output." + key);
  }
  double difference(const at::Tensor& got, const std::string& key) const {
    return fixture.difference(got.slice(0, 1), "output." + key);
  }

  PeerFixture fixture;
  ControlNet net;
  double tolerance;
};

TEST_F(ControlNetParity, ResidualsEqualDiffusers) {
  const ControlResiduals residuals = run({.scale = 0.7});
  for (std::size_t i = 0; i < residuals.down.size(); ++i) {
    EXPECT_LT(error(residuals.down[i], "down." + std::to_string(i)), tolerance);
  }
  EXPECT_EQ(fixture.tensors().count("output.down." +
                                    std::to_string(residuals.down.size())),
            0);
  EXPECT_LT(error(residuals.mid, "mid"), tolerance);
  EXPECT_GT(difference(run({.scale = 0.701}).mid, "mid"), kTolerance);
}

TEST_F(ControlNetParity, FadesWhenItGuesses) {
  const ControlResiduals residuals = run({.guess = true});
  EXPECT_LT(error(residuals.down[0], "guess.down.0"), tolerance);
  EXPECT_LT(error(residuals.down[1], "guess.down.1"), tolerance);
  EXPECT_LT(error(residuals.mid, "guess.mid"), tolerance);
}

TEST_F(ControlNetParity, UNetTakesResiduals) {
  ConfigJson json = fixture.config();
  UNetConfig config = net.config();
  config.out_channels = 4;
  UNet unet(config);
  draw_peer_weights(unet);
  const at::NoGradGuard no_grad;
  const UNetCondition condition{.text = fixture["input.text"]};
  const auto call = [&](const ControlResiduals* control) {
    return unet(fixture["input.sample"], fixture["input.timesteps"], condition,
                control);
  };
  const ControlResiduals residuals = run({.scale = 0.7});
  EXPECT_LT(error(call(&residuals), "unet"), tolerance);
  EXPECT_GT(difference(call(nullptr), "unet"), 1e-2);
}

TEST_F(ControlNetParity, EveryParameterMatters) {
  if (fixture.full()) GTEST_SKIP() << "shown on the small one";
  const at::NoGradGuard no_grad;
  const ControlResiduals before = run({});
  for (auto& [name, tensor] : net.named_parameters()) {
    const at::Tensor kept = tensor.clone();
    tensor.add_(at::linspace(0.1, 0.5, tensor.numel()).view(tensor.sizes()));
    const ControlResiduals after = run({});
    double change = (after.mid - before.mid).abs().max().item<double>();
    for (std::size_t i = 0; i < after.down.size(); ++i) {
      change = std::max(
          change, (after.down[i] - before.down[i]).abs().max().item<double>());
    }
    EXPECT_GT(change, kTolerance) << name;
    tensor.copy_(kept);
  }
}

}  // namespace
}  // namespace sono
