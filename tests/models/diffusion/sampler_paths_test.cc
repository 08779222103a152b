// All samplers against diffusers in double precision on an analytic model
// (tests/parity/sampler_paths.py).

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "models/diffusion/guidance.h"
#include "models/diffusion/sampler.h"
#include "models/io/safetensors.h"

namespace sono {
namespace {

// Both sides compute in fp64 from the same fp32 schedule; Karras's levels go
// through seventh powers and their roots.
constexpr double kTolerance = 1e-10;

at::Tensor model(const at::Tensor& x, double timestep) {
  return 0.3 * x + 0.2 * std::sin(timestep);
}

at::Tensor start() {
  return at::tensor({-2.0, 0.9}, at::kDouble).reshape({2, 1});
}

at::Tensor noise(std::size_t step) {
  const at::Tensor phase = at::arange(2, at::kDouble).reshape({2, 1});
  return at::cos(phase + 3.7 * static_cast<double>(step + 1)) * 1.3;
}

const std::map<std::string, SamplerConfig>& configs() {
  static const std::map<std::string, SamplerConfig> known = {
      {"ddpm_small", {.kind = "ddpm"}},
      {"ddpm_large",
       {.kind = "ddpm", .clip_sample = true, .variance = "fixed_large"}},
      {"ddim_eta", {.kind = "ddim", .eta = 0.5}},
      {"ddim_stride",
       {.kind = "ddim", .clip_sample = true, .set_alpha_to_one = false}},
      {"dpm", {.kind = "dpmpp_2m"}},
      {"dpm_heun", {.kind = "dpmpp_2m", .solver = "heun"}},
      {"dpm_first", {.kind = "dpmpp_2m", .solver_order = 1}},
      {"dpm_karras", {.kind = "dpmpp_2m", .karras_sigmas = true}},
      {"dpm_karras_cosine", {.kind = "dpmpp_2m", .karras_sigmas = true}},
      {"dpm_min",
       {.kind = "dpmpp_2m",
        .final_sigma = "sigma_min",
        .lower_order_final = false}},
      {"unipc_bh1",
       {.kind = "unipc", .solver = "bh1", .final_sigma = "sigma_min"}},
      {"unipc_third", {.kind = "unipc", .solver_order = 3}},
      {"unipc_bh1_third",
       {.kind = "unipc",
        .solver_order = 3,
        .solver = "bh1",
        .final_sigma = "sigma_min"}},
      {"unipc_first", {.kind = "unipc", .solver_order = 1}},
      {"unipc_karras",
       {.kind = "unipc", .karras_sigmas = true, .final_sigma = "sigma_min"}},
      {"euler", {.kind = "euler_ancestral"}},
      {"ddim_zero", {.kind = "ddim", .eta = 0.5}},
      {"dpm_zero", {.kind = "dpmpp_2m"}},
      {"unipc_zero", {.kind = "unipc"}},
      {"euler_zero", {.kind = "euler_ancestral"}}};
  return known;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

NoiseSchedule schedule_of(const std::string& name) {
  NoiseScheduleConfig config;
  if (ends_with(name, "cosine")) config.beta_schedule = "squaredcos_cap_v2";
  config.zero_terminal_snr = ends_with(name, "zero");
  return NoiseSchedule(config);
}

// The predictions that the fixture has for a peer, in its order.
std::vector<Prediction> predictions_of(const std::string& name) {
  std::vector<Prediction> all = {Prediction::kVelocity};
  if (!ends_with(name, "zero")) all.insert(all.begin(), Prediction::kEpsilon);
  if (name.rfind("euler", 0) != 0) all.push_back(Prediction::kSample);
  return all;
}

// Sample after the first step and after the last, and the timesteps.
struct Path {
  at::Tensor points;  // fp64 [4]
  std::vector<double> timesteps;
};

Path run(const SamplerConfig& config, const NoiseSchedule& schedule,
         Prediction prediction) {
  config.validate("test", schedule.config(), prediction);
  const auto sampler = make_sampler(config, schedule, prediction);
  sampler->set_step_noise(noise);
  at::Tensor x = start() * sampler->initial_scale(), first;
  for (std::size_t i = 0; i < sampler->timesteps().size(); ++i) {
    x = sampler->step(model(x, sampler->timesteps()[i]), i, x);
    if (i == 0) first = x;
  }
  return {at::cat({first, x}).flatten(), sampler->timesteps()};
}

// All paths of one peer, as the fixture stacks them.
struct Paths {
  at::Tensor points;     // fp64 [cases, 4]
  at::Tensor timesteps;  // fp32, of v_prediction, one after another
};

Paths run_all(const std::string& name, SamplerConfig config) {
  const NoiseSchedule schedule = schedule_of(name);
  std::vector<at::Tensor> points;
  std::vector<double> timesteps;
  config.steps_offset = 1;
  for (const Prediction prediction : predictions_of(name)) {
    for (const char* spacing : {"trailing", "leading", "linspace"}) {
      for (const std::int64_t steps : {1, 2, 3, 10, 30, 50}) {
        config.spacing = spacing;
        config.num_steps = steps;
        const Path path = run(config, schedule, prediction);
        points.push_back(path.points);
        if (prediction != Prediction::kVelocity) continue;
        timesteps.insert(timesteps.end(), path.timesteps.begin(),
                         path.timesteps.end());
      }
    }
  }
  return {at::stack(points), at::tensor(timesteps).to(at::kFloat)};
}

double relative_error(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs() / b.abs().clamp_min(1)).max().item<double>();
}

class SamplerPaths : public testing::Test {
 protected:
  StateDict fixture = load_safetensors(
      SONO_SOURCE_DIR "/tests/parity/fixtures/sampler_paths.safetensors");
};

TEST_F(SamplerPaths, EqualDiffusersInDoublePrecision) {
  double largest = 0;
  for (const auto& [name, config] : configs()) {
    const double error = relative_error(run_all(name, config).points,
                                        fixture.at("path/" + name));
    EXPECT_LT(error, kTolerance) << name;
    largest = std::max(largest, error);
  }
  RecordProperty("largest_error", std::to_string(largest));
  std::printf("check 7: max error %.2e (tolerance %.0e)\n", largest,
              kTolerance);
}

TEST_F(SamplerPaths, VisitTheTimestepsOfDiffusers) {
  int compared = 0;
  for (const auto& [name, config] : configs()) {
    if (!fixture.count("timesteps/" + name)) continue;
    EXPECT_TRUE(at::equal(run_all(name, config).timesteps,
                          fixture.at("timesteps/" + name)))
        << name;
    ++compared;
  }
  EXPECT_EQ(compared, 6);
}

// Each setting that the peers differ in shows in the comparison.
TEST_F(SamplerPaths, ASlightlyWrongSettingShows) {
  const auto error = [&](const std::string& name, auto change) {
    SamplerConfig config = configs().at(name);
    change(config);
    return relative_error(run_all(name, config).points,
                          fixture.at("path/" + name));
  };
  using C = SamplerConfig;
  EXPECT_GT(error("ddim_eta", [](C& c) { c.eta = 0.51; }), 1e-4);
  EXPECT_GT(error("ddpm_small", [](C& c) { c.variance = "fixed_large"; }),
            1e-4);
  EXPECT_GT(error("dpm", [](C& c) { c.solver = "heun"; }), 1e-4);
  EXPECT_GT(error("dpm_karras", [](C& c) { c.karras_sigmas = false; }), 1e-4);
  EXPECT_GT(error("unipc_bh1", [](C& c) { c.solver = "bh2"; }), 1e-6);
  EXPECT_GT(error("unipc_third", [](C& c) { c.solver_order = 2; }), 1e-4);
  EXPECT_GT(error("dpm", [](C& c) { c.corrected = true; }), 1e-4);
  EXPECT_GT(error("ddim_stride", [](C& c) { c.corrected = true; }), 1e-4);
  EXPECT_GT(error("ddpm_large", [](C& c) { c.corrected = true; }), 1e-4);
}

TEST_F(SamplerPaths, SchedulesEqualDiffusersBitForBit) {
  EXPECT_TRUE(at::equal(
      schedule_of("").alphas_cumprod().slice(0, 0, 1000, 37).to(at::kDouble),
      fixture.at("alphas_cumprod")));
  const at::Tensor zero = schedule_of("zero").alphas_cumprod();
  EXPECT_TRUE(at::equal(
      at::cat({zero.slice(0, 0, 1000, 37), zero.slice(0, 998)}).to(at::kDouble),
      fixture.at("alphas_cumprod_zero")));
  EXPECT_EQ(zero[-1].item<float>(), 0);
}

TEST_F(SamplerPaths, RescaledGuidanceEqualsDiffusers) {
  const at::Tensor both =
      at::cos(at::arange(24, at::kDouble) * 1.7).reshape({4, 3, 2});
  EXPECT_LT(
      relative_error(guide_rescaled(both, 7.5, 0.7), fixture.at("guided")),
      1e-12);
  EXPECT_GT(
      relative_error(guide_rescaled(both, 7.5, 0.6), fixture.at("guided")),
      1e-3);
  EXPECT_TRUE(at::equal(guide_rescaled(both, 7.5, 0), guide(both, 7.5)));
}

}  // namespace
}  // namespace sono
