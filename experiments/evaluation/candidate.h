#pragma once
// What is evaluated: a tuned segmenter, the published one, or a blind baseline.

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <opencv2/core.hpp>
#include <optional>
#include <string>

namespace sono {

inline constexpr char kZeroShotArm[] = "zero-shot";

struct Candidate {
  std::string arm;
  std::string train_cohort;  // empty where no real image was seen
  std::optional<std::int64_t> n_real;
  std::optional<std::int64_t> n_synthetic;
  std::optional<std::int64_t> seed;  // of subset, generator and tuning
  bool on_dose_curve = false;        // see ArmRun::synthetic
  std::int64_t updates = 0;
  std::string train_prompt;
  std::string generator_hash;
  // SHA-256 of the weights in use (of the mean mask for that baseline).
  std::string checkpoint_hash;
  // Tuned decoder weights; empty for the published weights and for baselines.
  std::filesystem::path weights;
  cv::Mat mean_mask;  // CV_32FC1, baseline mean-mask only
  // Box detector trained on the same real images; undefined without.
  at::Tensor detector;  // see experiments/evaluation/detector.h
  std::string detector_hash;

  bool blind() const;
  // Baselines answer only the prompts that they are made for; `detector` is
  // answered by who has one, and by mean-mask, which needs no box.
  bool answers(const std::string& prompt) const;
};

}  // namespace sono
