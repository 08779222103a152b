// Training with a mask that the network is shown, against diffusers
// (tests/parity/mask_training.py): the loss and its gradients.

#include <gtest/gtest.h>

#include "tests/trainer/latent/lora_case.h"
#include "tests/trainer/latent/mixed_values.h"

namespace sono {
namespace {

constexpr std::uint64_t kImage = 4000000, kChannel = 5000000, kAdded = 6000000;
constexpr std::int64_t kFactor = 2, kSamples = 4;
constexpr double kLossTolerance = 1e-5;      // relative
constexpr double kGradientTolerance = 1e-4;  // relative, L2

class MaskTraining : public testing::Test {
 protected:
  MaskTraining()
      : tiny(SONO_SOURCE_DIR
             "/tests/parity/fixtures/mask_training.safetensors"),
        height(tiny.settings.at("height")),
        width(tiny.settings.at("width")) {}

  // The largest relative errors of loss and gradients, with `guide` as what is
  // shown of sample n.
  std::pair<double, double> errors(
      const std::string& name, const LatentNetworks& networks,
      const std::function<at::Tensor(std::uint64_t)>& guide) {
    LatentTaskConfig config;
    config.batch_size = kSamples;
    LatentTask task(
        networks,
        [&](std::uint64_t n) {
          LatentDraw draw = tiny.draw(n);
          draw.guide = guide(n);
          return draw;
        },
        config);
    const at::Tensor loss = task.loss(0, 0, kSamples);
    loss.backward();
    const double wanted_loss = tiny.fixture.at(name + ".loss").item<double>();
    double gradient = 0;
    std::size_t compared = 0;
    for (const auto& [full, tensor] : task.parameters()) {
      const std::string own = full.substr(full.find('.') + 1);
      const auto wanted = tiny.fixture.find(name + ".grad." + own);
      if (wanted == tiny.fixture.end()) continue;
      ++compared;
      gradient = std::max(gradient, ((tensor.grad() - wanted->second).norm() /
                                     wanted->second.norm())
                                        .item<double>());
    }
    EXPECT_GT(compared, 15u);
    return {std::abs(loss.item<double>() / wanted_loss - 1), gradient};
  }

  void expect_small(const char* name, const std::pair<double, double>& found) {
    std::printf("%s: loss %.2g (tolerance %g), gradients %.2g (tolerance %g)\n",
                name, found.first, kLossTolerance, found.second,
                kGradientTolerance);
    EXPECT_LT(found.first, kLossTolerance);
    EXPECT_LT(found.second, kGradientTolerance);
  }

  LoraCase tiny;
  std::int64_t height, width;
};

TEST_F(MaskTraining, AControlNetsGradientsEqualDiffusers) {
  tiny.lora.detach();
  ControlNet net(controlnet_config_of(tiny.unet.config(), kFactor));
  fill_mixed(net.named_parameters(), tiny.settings.at("scale"));
  const auto image = [&](std::uint64_t n) {
    return mixed(kImage + n, {3, kFactor * height, kFactor * width});
  };
  const LatentNetworks networks{.unet = tiny.unet, .control = &net};
  expect_small("controlnet", errors("controlnet", networks, image));
  for (const auto& [name, tensor] : net.named_parameters()) {
    tensor.mutable_grad() = at::Tensor();
  }
  const auto shifted = [&](std::uint64_t n) { return image(n + 1); };
  EXPECT_GT(errors("controlnet", networks, shifted).second, 1e-2);
}

TEST_F(MaskTraining, AddedChannelsGradientsEqualDiffusers) {
  tiny.unet.add_input_channels(1);
  const at::Tensor added = tiny.unet.added_input_weight();
  added.copy_(tiny.settings.at("scale").get<double>() *
              mixed(kAdded, added.sizes()));
  const auto channel = [&](std::uint64_t n) {
    return mixed(kChannel + n, {1, height, width});
  };
  expect_small("concat", errors("concat", tiny.networks(), channel));
  for (const auto& [name, tensor] : tiny.lora.named_parameters()) {
    tensor.mutable_grad() = at::Tensor();
  }
  added.mutable_grad() = at::Tensor();
  const auto hidden = [&](std::uint64_t n) { return channel(n) * 0; };
  EXPECT_GT(errors("concat", tiny.networks(), hidden).second, 1e-2);
}

}  // namespace
}  // namespace sono
