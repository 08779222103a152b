#pragma once
// Synthetic pairs from a trained generator. Attempt k at pair i is a pure
// function of (weights, config, seed, i, k): its noise, outline and class are
// keyed by (seed, i, k), and it always stands at position i mod batch_size of a
// batch of that size, whoever makes it and whatever else was asked for.

#include <cstdint>
#include <functional>
#include <opencv2/core.hpp>
#include <vector>

#include "trainer/diffusion_model.h"
#include "trainer/diffusion_task.h"
#include "trainer/ellipse_prior.h"

namespace sono {

// At the generator's resolution (128x88 by default); who uses a pair resizes
// it, so that nothing invents detail or loses the exact label here.
struct GeneratedPair {
  std::int64_t index = 0;
  std::int64_t attempt = 0;
  std::int64_t class_id = 0;
  cv::Mat image;    // CV_8UC1 [H, W]
  cv::Mat mask;     // concat: CV_8UC1 [H, W], 0 or 255; joint: empty
  cv::Mat outline;  // joint: CV_8UC1 [H, W], grey, for the quality gate
};

// Where the pairs' conditions come from.
struct GeneratorConditions {
  const EllipsePrior* outlines = nullptr;  // concat, without `start`
  // Drawn from evenly; repeat an entry to weigh it. Empty: class 0.
  std::vector<std::int64_t> class_ids{};
  // SDEdit: pair i begins from this image and keeps its mask and class.
  std::function<DiffusionExample(std::int64_t index)> start{};
  double start_strength = 0.5;  // (0, 1]; 1 keeps nothing of the image
};

// Attempt 0 is the first; more are made where a pair was rejected.
struct PairAttempt {
  std::int64_t index = 0;
  std::int64_t attempt = 0;
};

struct GenerateOptions {
  std::uint64_t seed = 0;
  std::int64_t batch_size = 8;  // part of the result
  // Called before each network call; may throw to leave. May be empty.
  std::function<void()> before_call{};
};

// The pairs asked for, in order of asking. Pairs of different positions share
// a batch, so a run of indices makes none in vain.
std::vector<GeneratedPair> generate_pairs(const DiffusionModel& model,
                                          const GeneratorConditions& conditions,
                                          const std::vector<PairAttempt>& asked,
                                          const GenerateOptions& options);

// First attempts at `count` pairs from `first_index` on.
std::vector<PairAttempt> first_attempts(std::int64_t first_index,
                                        std::int64_t count);

}  // namespace sono
