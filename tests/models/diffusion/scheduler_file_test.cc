// scheduler_config.json as diffusers writes it.

#include "models/diffusion/scheduler_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"

namespace sono {
namespace {

class SchedulerFileTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  SchedulerFile read(const std::string& text, const std::string& kind = "") {
    std::ofstream(path_) << text;
    return read_scheduler_file(path_, kind);
  }
  // What reading says is wrong.
  std::string refusal(const std::string& text) {
    try {
      read(text);
    } catch (const Error& error) {
      EXPECT_GT(error.exit_code(), 1) << error.what();
      return error.what();
    }
    return "";
  }

 private:
  std::filesystem::path path_ =
      std::filesystem::path(testing::TempDir()) / "scheduler_config.json";
};

TEST_F(SchedulerFileTest, DefaultsAreThoseOfTheClass) {
  const auto ddim = read(R"({"_class_name": "DDIMScheduler"})");
  EXPECT_EQ(ddim.sampler.kind, "ddim");
  EXPECT_EQ(ddim.sampler.spacing, "leading");
  EXPECT_TRUE(ddim.sampler.clip_sample);
  EXPECT_EQ(ddim.noise.beta_schedule, "linear");
  EXPECT_EQ(ddim.noise.beta_end, 0.02);
  const auto dpm = read(R"({"_class_name": "DPMSolverMultistepScheduler"})");
  EXPECT_EQ(dpm.sampler.kind, "dpmpp_2m");
  EXPECT_EQ(dpm.sampler.spacing, "linspace");
  EXPECT_FALSE(dpm.sampler.clip_sample);
}

// The fields of a published file, with the infinity that Python writes.
TEST_F(SchedulerFileTest, ReadsAWholeFile) {
  const auto file = read(R"({
    "_class_name": "DPMSolverMultistepScheduler", "_diffusers_version": "0.36",
    "algorithm_type": "dpmsolver++", "beta_end": 0.012,
    "beta_schedule": "scaled_linear", "beta_start": 0.00085,
    "dynamic_thresholding_ratio": 0.995, "euler_at_final": false,
    "final_sigmas_type": "zero", "lambda_min_clipped": -Infinity,
    "lower_order_final": true, "num_train_timesteps": 1000,
    "prediction_type": "v_prediction", "sample_max_value": 1.0,
    "solver_order": 2, "solver_type": "heun", "steps_offset": 1,
    "thresholding": false, "timestep_spacing": "leading",
    "trained_betas": null, "use_karras_sigmas": true,
    "variance_type": null, "rescale_betas_zero_snr": true})");
  EXPECT_EQ(file.prediction, "v_prediction");
  EXPECT_EQ(file.noise.beta_start, 0.00085);
  EXPECT_TRUE(file.noise.zero_terminal_snr);
  EXPECT_EQ(file.sampler.solver, "heun");
  EXPECT_TRUE(file.sampler.karras_sigmas);
  EXPECT_EQ(file.sampler.steps_offset, 1);
}

// Stable Diffusion 1.5 names a scheduler that is not offered: another one takes
// its noise process over.
TEST_F(SchedulerFileTest, AnotherSamplerKeepsTheNoiseProcess) {
  const std::string pndm = R"({
    "_class_name": "PNDMScheduler", "beta_end": 0.012,
    "beta_schedule": "scaled_linear", "beta_start": 0.00085,
    "num_train_timesteps": 1000, "set_alpha_to_one": false,
    "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null,
    "clip_sample": false})";
  EXPECT_NE(refusal(pndm).find("PNDMScheduler"), std::string::npos);
  const auto file = read(pndm, "unipc");
  EXPECT_EQ(file.sampler.kind, "unipc");
  EXPECT_EQ(file.sampler.steps_offset, 1);
  EXPECT_EQ(file.noise.beta_schedule, "scaled_linear");
  EXPECT_FALSE(read(pndm, "ddim").sampler.set_alpha_to_one);
}

TEST_F(SchedulerFileTest, NamesWhatItDoesNotOffer) {
  const std::string head = R"({"_class_name": "DPMSolverMultistepScheduler", )";
  const auto names = [&](const std::string& text, const char* field) {
    return refusal(head + text + "}").find(field) != std::string::npos;
  };
  EXPECT_TRUE(names(R"("thresholding": true)", "thresholding"));
  EXPECT_TRUE(
      names(R"("algorithm_type": "sde-dpmsolver++")", "algorithm_type"));
  EXPECT_TRUE(names(R"("use_flow_sigmas": true)", "use_flow_sigmas"));
  EXPECT_TRUE(names(R"("solver_order": 3)", "solver_order"));
  EXPECT_TRUE(names(R"("prediction_type": "flow")", "prediction_type"));
  EXPECT_TRUE(names(R"("beta_start": "much")", "beta_start"));
  EXPECT_TRUE(names(R"("num_train_timestep": 1000)", "num_train_timestep"));
  EXPECT_NE(refusal("[]").find("scheduler_config.json"), std::string::npos);
  EXPECT_NE(refusal("{").find("JSON"), std::string::npos);
  EXPECT_NE(refusal(R"({"_class_name": "DDPMScheduler",
                        "variance_type": "learned"})")
                .find("variance_type"),
            std::string::npos);
}

}  // namespace
}  // namespace sono
