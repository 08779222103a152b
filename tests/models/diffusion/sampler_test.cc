// DDIM and UniPC against diffusers on an analytic model
// (tests/parity/samplers.py).

#include "models/diffusion/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "core/error.h"
#include "models/io/safetensors.h"

namespace sono {
namespace {

// The peer keeps its coefficients in fp32, this code in fp64.
constexpr double kTolerance = 1e-5;

at::Tensor model(const at::Tensor& x, double timestep) {
  return 0.3 * x + 0.2 * std::sin(timestep);
}

struct Case {
  SamplerConfig config;
  Prediction prediction;
};

// "ddim_sd/epsilon/leading/10"
Case parse(const std::string& key) {
  std::stringstream text(key);
  std::string peer, prediction, spacing, steps;
  std::getline(text, peer, '/');
  std::getline(text, prediction, '/');
  std::getline(text, spacing, '/');
  std::getline(text, steps, '/');
  SamplerConfig config;
  config.kind = peer.substr(0, peer.find('_'));
  config.spacing = spacing;
  config.num_steps = std::stoll(steps);
  config.steps_offset = 1;
  config.clip_sample = peer == "ddim_clip";
  config.set_alpha_to_one = peer != "ddim_sd";
  return {config, parse_prediction("prediction", prediction)};
}

class SamplerParity : public testing::Test {
 protected:
  // After the first step and after the last, [2, 5, 1].
  at::Tensor run(Sampler& sampler) const {
    at::Tensor x = fixture.at("start"), first;
    for (std::size_t i = 0; i < sampler.timesteps().size(); ++i) {
      x = sampler.step(model(x, sampler.timesteps()[i]), i, x);
      if (i == 0) first = x;
    }
    return at::stack({first, x});
  }
  // Largest error of a case, relative to values above 1.
  double error(const std::string& key, const Case& c) const {
    const auto sampler = make_sampler(c.config, schedule, c.prediction);
    const at::Tensor wanted = fixture.at("path/" + key);
    return ((run(*sampler) - wanted).abs() / wanted.abs().clamp_min(1))
        .max()
        .item<double>();
  }

  StateDict fixture = load_safetensors(
      SONO_SOURCE_DIR "/tests/parity/fixtures/samplers.safetensors");
  NoiseSchedule schedule{NoiseScheduleConfig{}};
};

TEST_F(SamplerParity, TimestepsEqualDiffusers) {
  int compared = 0;
  for (const auto& [name, wanted] : fixture) {
    if (name.rfind("timesteps/", 0) != 0) continue;
    const Case c = parse(name.substr(10));
    const auto sampler = make_sampler(c.config, schedule, c.prediction);
    EXPECT_TRUE(
        at::equal(at::tensor(sampler->timesteps()), wanted.to(at::kDouble)))
        << name;
    ++compared;
  }
  EXPECT_EQ(compared, 2 * 3 * 6);
}

TEST_F(SamplerParity, TrajectoriesEqualDiffusers) {
  int compared = 0;
  for (const auto& [name, wanted] : fixture) {
    if (name.rfind("path/", 0) != 0) continue;
    const std::string key = name.substr(5);
    EXPECT_LT(error(key, parse(key)), kTolerance) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 4 * 2 * 3 * 6);
}

TEST_F(SamplerParity, AnotherSettingShows) {
  const std::string key = "unipc/epsilon/trailing/10";
  Case c = parse(key);
  c.prediction = Prediction::kVelocity;
  EXPECT_GT(error(key, c), 100 * kTolerance);
  c = parse(key);
  c.config.kind = "ddim";
  EXPECT_GT(error(key, c), 100 * kTolerance);
}

TEST_F(SamplerParity, ResetForgetsTheTrajectory) {
  for (const char* kind : {"ddim", "unipc"}) {
    SamplerConfig config;
    config.kind = kind;
    config.num_steps = 7;
    const auto sampler = make_sampler(config, schedule, Prediction::kVelocity);
    const at::Tensor first = run(*sampler);
    sampler->reset();
    EXPECT_TRUE(at::equal(run(*sampler), first)) << kind;
  }
}

TEST(SamplerConfig, RefusesWrongValues) {
  SamplerConfig config;
  config.kind = "heun";
  EXPECT_THROW(config.validate("diffusion", {}, Prediction::kEpsilon),
               ConfigError);
  config = SamplerConfig{};
  config.num_steps = 0;
  EXPECT_THROW(config.validate("diffusion", {}, Prediction::kEpsilon),
               ConfigError);
}

}  // namespace
}  // namespace sono
