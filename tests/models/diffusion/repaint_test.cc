// RePaint against diffusers in double precision on an analytic model
// (tests/parity/sampler_paths.py).

#include "models/diffusion/repaint.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "models/io/safetensors.h"

namespace sono {
namespace {

at::Tensor noise(std::int64_t draw) {
  const at::Tensor phase = at::arange(2, at::kDouble).reshape({2, 1});
  return at::cos(phase + 3.7 * static_cast<double>(draw + 1)) * 1.3;
}

struct Trajectory {
  at::Tensor end;
  std::vector<std::int64_t> visited;
};

Trajectory run(const RePaintConfig& config) {
  const RePaintSampler sampler(config, NoiseSchedule({}));
  const at::Tensor known = at::tensor({0.4, -0.6}, at::kDouble).reshape({2, 1});
  const at::Tensor mask = at::tensor({1.0, 0.0}, at::kDouble).reshape({2, 1});
  Trajectory result{at::tensor({-2.0, 0.9}, at::kDouble).reshape({2, 1}), {}};
  std::int64_t draw = 0;
  for (const RePaintMove& move : sampler.moves()) {
    result.visited.push_back(move.timestep);
    at::Tensor& x = result.end;
    if (move.denoise) {
      const at::Tensor epsilon =
          0.3 * x + 0.2 * std::sin(static_cast<double>(move.timestep));
      x = sampler.step(epsilon, move.timestep, x, known, mask, noise(draw++));
      continue;
    }
    std::vector<at::Tensor> noises;
    for (std::int64_t i = 0; i < sampler.stride(); ++i) {
      noises.push_back(noise(draw++));
    }
    x = sampler.add_noise(x, move.timestep, noises);
  }
  return result;
}

class RePaintParity : public testing::Test {
 protected:
  static RePaintConfig config(double eta) {
    return {.num_steps = 50, .jump_length = 5, .jump_n_sample = 3, .eta = eta};
  }
  double error(double eta, const RePaintConfig& c) const {
    const at::Tensor wanted =
        fixture.at(eta > 0 ? "repaint/eta" : "repaint/plain");
    return (run(c).end.flatten() - wanted).abs().max().item<double>();
  }
  StateDict fixture = load_safetensors(
      SONO_SOURCE_DIR "/tests/parity/fixtures/sampler_paths.safetensors");
};

TEST_F(RePaintParity, EqualsDiffusers) {
  for (const double eta : {0.0, 0.6}) {
    const double largest = error(eta, config(eta));
    EXPECT_LT(largest, 1e-10);
    std::printf("check 7, RePaint: max error %.2e (tolerance 1e-10)\n",
                largest);
  }
  EXPECT_TRUE(at::equal(at::tensor(run(config(0)).visited).to(at::kInt),
                        fixture.at("repaint/visited")));
}

TEST_F(RePaintParity, AnotherSettingShows) {
  RePaintConfig other = config(0.6);
  other.eta = 0.5;
  EXPECT_GT(error(0.6, other), 1e-4);
  other = config(0);
  other.jump_n_sample = 2;
  EXPECT_NE(run(other).visited.size(), run(config(0)).visited.size());
}

TEST(RePaint, KeepsTheKnownPart) {
  // At the end the known part has no noise left.
  const Trajectory result = run({.num_steps = 20, .jump_length = 4});
  EXPECT_NEAR(result.end[0][0].item<double>(), 0.4, 1e-12);
}

TEST(RePaint, RefusesWrongValues) {
  EXPECT_THROW(RePaintConfig{.num_steps = 0}.validate("repaint", 1000),
               ConfigError);
  EXPECT_THROW((RePaintConfig{.jump_length = 0}.validate("repaint", 1000)),
               ConfigError);
}

}  // namespace
}  // namespace sono
