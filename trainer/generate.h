#pragma once
// Synthetic pairs from a trained generator. Pair i is a pure function of
// (weights, config, seed, i): its noise, outline and class are keyed by (seed,
// i), and it always stands at position i mod batch_size of a batch of that
// size, whoever makes it and whatever range was asked for.

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

struct GenerateRange {
  std::int64_t first_index = 0;
  std::int64_t count = 0;
  std::uint64_t seed = 0;
  std::int64_t batch_size = 8;  // part of the result; ranges at its multiples
                                // make no pair in vain
  // Called before each network call; may throw to leave. May be empty.
  std::function<void()> before_call{};
};

// Pairs first_index .. first_index + count - 1, in order.
std::vector<GeneratedPair> generate_pairs(const DiffusionModel& model,
                                          const GeneratorConditions& conditions,
                                          const GenerateRange& range);

}  // namespace sono
