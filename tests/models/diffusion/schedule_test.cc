// Noise schedules, velocities and loss weights against diffusers
// (tests/parity/samplers.py).

#include <gtest/gtest.h>

#include "core/error.h"
#include "models/diffusion/guidance.h"
#include "models/diffusion/noise_schedule.h"
#include "models/diffusion/prediction.h"
#include "models/io/safetensors.h"

namespace sono {
namespace {

double relative_error(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs() / b.abs().clamp_min(1)).max().item<double>();
}

class ScheduleParity : public testing::TestWithParam<const char*> {
 protected:
  ScheduleParity() : schedule(config()) {}

  NoiseScheduleConfig config() const {
    NoiseScheduleConfig c;
    c.beta_schedule = GetParam();
    if (c.beta_schedule == "linear") {
      c.beta_start = 0.0001;
      c.beta_end = 0.02;
    }
    return c;
  }
  at::Tensor wanted(const std::string& name) const {
    return fixture.at(std::string(GetParam()) + "/" + name);
  }

  StateDict fixture = load_safetensors(
      SONO_SOURCE_DIR "/tests/parity/fixtures/samplers.safetensors");
  NoiseSchedule schedule;
};

TEST_P(ScheduleParity, EqualsDiffusers) {
  const at::Tensor t = fixture.at("t"), x = fixture.at("x"),
                   noise = fixture.at("noise");
  EXPECT_LT(relative_error(schedule.alphas_cumprod(), wanted("alphas_cumprod")),
            1e-6);
  EXPECT_LT(relative_error(schedule.add_noise(x, noise, t), wanted("noisy")),
            1e-6);
  EXPECT_LT(relative_error(schedule.velocity(x, noise, t), wanted("velocity")),
            1e-6);
  EXPECT_LT(relative_error(min_snr_weight(schedule, Prediction::kEpsilon, t, 5),
                           wanted("weight_epsilon")),
            1e-6);
  EXPECT_LT(
      relative_error(min_snr_weight(schedule, Prediction::kVelocity, t, 5),
                     wanted("weight_v")),
      1e-6);
}

TEST_P(ScheduleParity, WrongTimestepShows) {
  const at::Tensor t = (fixture.at("t") + 1).clamp_max(999);
  EXPECT_GT(relative_error(
                schedule.add_noise(fixture.at("x"), fixture.at("noise"), t),
                wanted("noisy")),
            1e-5);
}

TEST_P(ScheduleParity, DenoisingUndoesNoising) {
  const at::Tensor t = at::tensor({400});
  const at::Tensor x = at::linspace(-1, 1, 7).unsqueeze(0);
  const at::Tensor noise = at::linspace(2, -1, 7).unsqueeze(0);
  const double a = schedule.alpha_cumprod(400);
  for (const auto prediction : {Prediction::kEpsilon, Prediction::kVelocity}) {
    const Denoised parts = denoise(
        prediction, prediction_target(schedule, prediction, x, noise, t),
        schedule.add_noise(x, noise, t), std::sqrt(a), std::sqrt(1 - a));
    EXPECT_LT(relative_error(parts.x0, x), 1e-5);
    EXPECT_LT(relative_error(parts.epsilon, noise), 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ScheduleParity,
                         testing::Values("scaled_linear", "linear",
                                         "squaredcos_cap_v2"));

TEST(NoiseSchedule, NamesTheWrongOption) {
  NoiseScheduleConfig config;
  config.beta_schedule = "cosin";
  try {
    config.validate("diffusion");
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("diffusion.beta_schedule"),
              std::string::npos);
  }
}

TEST(Guidance, MovesAwayFromTheUnconditionalHalf) {
  const at::Tensor halves = at::tensor({3.0, 1.0});
  EXPECT_FLOAT_EQ(guide(halves, 1).item<float>(), 3);
  EXPECT_FLOAT_EQ(guide(halves, 0).item<float>(), 1);
  EXPECT_FLOAT_EQ(guide(halves, 2).item<float>(), 5);
}

}  // namespace
}  // namespace sono
