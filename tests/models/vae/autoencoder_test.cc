// The autoencoder against diffusers' AutoencoderKL (tests/parity/networks.py).

#include <gtest/gtest.h>

#include "core/error.h"
#include "models/vae/autoencoder_kl.h"
#include "tests/core/expect_error.h"
#include "tests/models/peer_weights.h"

namespace sono {
namespace {

constexpr double kTolerance = 1e-4, kFullTolerance = 5e-4;

class AutoencoderParity : public testing::Test {
 protected:
  AutoencoderParity()
      : fixture("vae"),
        vae(read_autoencoder_config(fixture.config())),
        tolerance(fixture.full() ? kFullTolerance : kTolerance) {
    draw_peer_weights(vae);
  }

  PeerFixture fixture;
  AutoencoderKL vae;
  double tolerance;
  at::NoGradGuard no_grad;
};

TEST_F(AutoencoderParity, MomentsEqualDiffusers) {
  const LatentMoments moments = vae.encode(fixture["input.image"]);
  EXPECT_LT(fixture.error(moments.mean, "output.mean"), tolerance);
  EXPECT_LT(fixture.error(moments.logvar, "output.logvar"), tolerance);
  const at::Tensor sample = moments.sample(fixture["input.noise"]);
  EXPECT_LT(fixture.error(sample, "output.sample"), tolerance);
  const at::Tensor other = moments.sample(fixture["input.noise"] + 0.01);
  EXPECT_GT(fixture.difference(other, "output.sample"), tolerance);
}

TEST_F(AutoencoderParity, DecodedEqualsDiffusers) {
  const at::Tensor decoded = vae.decode(fixture["input.noise"]);
  EXPECT_LT(fixture.error(decoded, "output.decoded"), tolerance);
}

TEST_F(AutoencoderParity, EveryParameterMatters) {
  if (fixture.full()) GTEST_SKIP() << "shown on the small one";
  const auto run = [&] {
    const LatentMoments moments = vae.encode(fixture["input.image"]);
    return at::cat({moments.mean.flatten(), moments.logvar.flatten(),
                    vae.decode(fixture["input.noise"]).flatten()});
  };
  const at::Tensor before = run();
  for (auto& [name, tensor] : vae.named_parameters()) {
    // Softmax takes no notice of the keys' bias.
    if (name.ends_with("to_k.bias")) continue;
    const at::Tensor kept = tensor.clone();
    tensor.add_(at::linspace(0.1, 0.5, tensor.numel()).view(tensor.sizes()));
    EXPECT_GT((run() - before).abs().max().item<double>(), kTolerance) << name;
    tensor.copy_(kept);
  }
}

TEST_F(AutoencoderParity, ImageDoesNotDependOnItsBatch) {
  const at::Tensor& noise = fixture["input.noise"];
  EXPECT_TRUE(
      at::equal(vae.decode(noise.slice(0, 1)), vae.decode(noise).slice(0, 1)));
}

TEST_F(AutoencoderParity, RefusesSizesThatDoNotFit) {
  EXPECT_THROW(vae.encode(at::zeros({1, 3, 7, 8})), Error);
  EXPECT_THROW(vae.decode(at::zeros({1, 3, 8, 8})), Error);
}

TEST(AutoencoderConfig, RefusesWhatItDoesNotKnow) {
  const auto read = [](const std::string& more) {
    return read_autoencoder_config(ConfigJson(R"({"block_out_channels": [32],
          "down_block_types": ["DownEncoderBlock2D"],
          "up_block_types": ["UpDecoderBlock2D"], )" +
                                                  more + "}",
                                              "vae/config.json"));
  };
  EXPECT_EQ(read(R"("sample_size": 512)").latent_channels, 4);
  EXPECT_ERROR(read(R"("latents_mean": [0.1])"), DataError, "vae/config.json",
               "latents_mean");
  EXPECT_ERROR(read(R"("shift_factor": 0.1)"), DataError, "shift_factor");
  EXPECT_ERROR(read(R"("act_fn": "mish")"), DataError, "act_fn");
  EXPECT_ERROR(read(R"("latent_channels": -1)"), DataError, "latent_channels");
  EXPECT_ERROR(read(R"("norm_num_groups": 31)"), ConfigError,
               "norm_num_groups (31)");
}

}  // namespace
}  // namespace sono
