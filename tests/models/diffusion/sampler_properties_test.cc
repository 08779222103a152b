// What samplers must do beside equalling a peer: corrected variants, noise by
// image, wrong settings.

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "models/diffusion/sampler.h"

namespace sono {
namespace {

constexpr auto kV = Prediction::kVelocity;

NoiseSchedule schedule(bool zero_terminal_snr = false) {
  NoiseScheduleConfig config;
  config.zero_terminal_snr = zero_terminal_snr;
  return NoiseSchedule(config);
}

at::Tensor normal(std::uint64_t image, std::uint64_t step) {
  at::Tensor values = at::empty({3}, at::kFloat);
  Random(make_key("test.noise", 1, image, step))
      .fill_normal(values.data_ptr<float>(), 3);
  return values;
}

at::Tensor normals(const std::vector<std::uint64_t>& images,
                   std::uint64_t step) {
  std::vector<at::Tensor> all;
  for (const auto image : images) all.push_back(normal(image, step));
  return at::stack(all);
}

// The end of the trajectories of `images`, [B, 3].
at::Tensor sample(const SamplerConfig& config, const NoiseSchedule& process,
                  const std::vector<std::uint64_t>& images) {
  const auto sampler = make_sampler(config, process, kV);
  sampler->set_step_noise(
      [&](std::size_t step) { return normals(images, step + 1); });
  at::Tensor x = normals(images, 0) * sampler->initial_scale();
  for (std::size_t i = 0; i < sampler->timesteps().size(); ++i) {
    x = sampler->step(at::sin(x) * 0.4, i, x);
  }
  return x;
}

TEST(SamplerProperties, AnImageDoesNotDependOnItsBatch) {
  for (const char* kind :
       {"ddpm", "ddim", "unipc", "dpmpp_2m", "euler_ancestral"}) {
    SamplerConfig config{.kind = kind, .num_steps = 9, .eta = 0.7};
    const at::Tensor all = sample(config, schedule(), {4, 9, 2});
    const at::Tensor alone = sample(config, schedule(), {9});
    EXPECT_TRUE(at::equal(all[1], alone[0])) << kind;
    EXPECT_TRUE(all.isfinite().all().item<bool>()) << kind;
  }
}

// DDIM with eta 1 is DDPM (Song et al. 2021, section 4.1), as long as both go
// down by the timesteps that they visit.
TEST(SamplerProperties, CorrectedDdimWithEtaOneIsDdpm) {
  for (const char* spacing : {"linspace", "trailing", "leading"}) {
    SamplerConfig ddim{.kind = "ddim", .spacing = spacing, .num_steps = 7};
    ddim.eta = 1;
    ddim.corrected = true;
    SamplerConfig ddpm{.kind = "ddpm", .spacing = spacing, .num_steps = 7};
    const at::Tensor wanted = sample(ddpm, schedule(), {1, 2});
    EXPECT_TRUE(
        at::allclose(sample(ddim, schedule(), {1, 2}), wanted, 1e-5, 1e-6))
        << spacing;
    if (std::string(spacing) != "linspace") continue;
    ddim.corrected = false;
    EXPECT_FALSE(
        at::allclose(sample(ddim, schedule(), {1, 2}), wanted, 1e-2, 1e-2));
  }
}

TEST(SamplerProperties, CorrectedDdimChangesNothingWhereTheStrideIsRight) {
  for (const char* spacing : {"trailing", "leading"}) {
    SamplerConfig config{.kind = "ddim", .spacing = spacing, .num_steps = 10};
    const at::Tensor plain = sample(config, schedule(), {1});
    config.corrected = true;
    EXPECT_TRUE(at::equal(sample(config, schedule(), {1}), plain)) << spacing;
  }
}

TEST(SamplerProperties, CorrectedMultistepBeginsAtTheSameTimestep) {
  for (const char* kind : {"unipc", "dpmpp_2m"}) {
    for (const std::int64_t steps : {10, 15, 30}) {
      SamplerConfig config{.kind = kind, .spacing = "leading"};
      config.num_steps = steps;
      config.steps_offset = 1;
      const auto first = [&] {
        return make_sampler(config, schedule(), kV)->timesteps().front();
      };
      EXPECT_NE(first(), 999) << kind << steps;
      config.corrected = true;
      EXPECT_EQ(first(), 999) << kind << steps;
    }
  }
}

TEST(SamplerProperties, CorrectedDdpmAddsNoNoiseToTheLastImage) {
  SamplerConfig config{.kind = "ddpm", .num_steps = 5};
  config.variance = "fixed_large";
  const auto noises = [&] {
    const auto sampler = make_sampler(config, schedule(), kV);
    int count = 0;
    sampler->set_step_noise([&](std::size_t) {
      ++count;
      return at::zeros({1, 3});
    });
    for (std::size_t i = 0; i < 5; ++i) {
      sampler->step(at::zeros({1, 3}), i, at::zeros({1, 3}));
    }
    return count;
  };
  EXPECT_EQ(noises(), 5);
  config.corrected = true;
  EXPECT_EQ(noises(), 4);
}

TEST(SamplerProperties, ZeroTerminalSnrStaysFiniteWithFullNoise) {
  for (const char* kind :
       {"ddpm", "ddim", "unipc", "dpmpp_2m", "euler_ancestral"}) {
    SamplerConfig config{.kind = kind, .num_steps = 9};
    config.eta = 1;
    const at::Tensor x = sample(config, schedule(true), {1, 2});
    EXPECT_TRUE(x.isfinite().all().item<bool>()) << kind;
  }
}

TEST(SamplerProperties, NoisedImageHasTheLevelOfItsStep) {
  for (const bool karras : {false, true}) {
    SamplerConfig config{.kind = "dpmpp_2m", .num_steps = 6};
    config.karras_sigmas = karras;
    const auto sampler = make_sampler(config, schedule(), kV);
    const at::Tensor one = at::ones({1, 1}), zero = at::zeros({1, 1});
    for (std::size_t i = 0; i < 6; ++i) {
      const double alpha = sampler->noised(one, zero, i).item<double>();
      const double sigma = sampler->noised(zero, one, i).item<double>();
      EXPECT_NEAR(alpha * alpha + sigma * sigma, 1, 1e-6);
      EXPECT_GT(alpha, 0.02);
    }
  }
}

std::string refusal(const SamplerConfig& config,
                    const NoiseScheduleConfig& noise = {},
                    Prediction prediction = kV) {
  try {
    config.validate("s", noise, prediction);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(SamplerProperties, WrongSettingsAreRefusedByName) {
  using C = SamplerConfig;
  const auto names = [](C config, const char* option) {
    return refusal(config).find(option) != std::string::npos;
  };
  EXPECT_EQ(refusal({}), "");
  EXPECT_TRUE(names({.eta = 1.5}, "s.eta"));
  EXPECT_TRUE(names({.kind = "ddpm", .variance = "learned"}, "s.variance"));
  EXPECT_TRUE(names({.kind = "dpmpp_2m", .solver_order = 3}, "s.solver_order"));
  EXPECT_TRUE(names({.kind = "unipc", .solver = "heun"}, "s.solver"));
  EXPECT_TRUE(
      names({.kind = "ddim", .karras_sigmas = true}, "s.karras_sigmas"));
  EXPECT_TRUE(names({.kind = "unipc", .num_steps = 1000}, "s.sampling_steps"));
  EXPECT_EQ(refusal({.kind = "ddpm", .num_steps = 1000}), "");
  C beyond{.kind = "ddpm", .spacing = "leading", .num_steps = 1000};
  beyond.steps_offset = 1;
  EXPECT_TRUE(names(beyond, "steps_offset"));
  NoiseScheduleConfig zero;
  zero.zero_terminal_snr = true;
  EXPECT_NE(refusal({}, zero, Prediction::kEpsilon).find("zero_terminal_snr"),
            std::string::npos);
}

TEST(SamplerProperties, NoiseThatIsNotGivenIsAFault) {
  const auto sampler = make_sampler({.kind = "ddpm"}, schedule(), kV);
  EXPECT_THROW(sampler->step(at::zeros({1, 3}), 0, at::zeros({1, 3})), Error);
}

}  // namespace
}  // namespace sono
