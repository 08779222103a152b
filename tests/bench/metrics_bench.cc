// Seconds that Dice, HD95 and ASSD of 200 pairs of masks at 800 x 540 take on
// one thread. The peers are in tests/bench/metrics_bench.py.
//
//   metrics_bench ROUNDS

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <utility>

#include "core/error.h"
#include "experiments/metrics/overlap.h"
#include "experiments/metrics/surface.h"
#include "tests/bench/samples.h"

namespace sono::bench {
namespace {

constexpr int kPairs = 200, kWidth = 800, kHeight = 540;

cv::Mat ellipse(int cx, int cy, int a, int b) {
  cv::Mat mask = cv::Mat::zeros(kHeight, kWidth, CV_8UC1);
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const std::int64_t dx = (x - cx) * b, dy = (y - cy) * a;
      const std::int64_t ab = a * b;
      if (dx * dx + dy * dy <= ab * ab) mask.at<std::uint8_t>(y, x) = 255;
    }
  }
  return mask;
}

// Heads whose prediction is off by some pixels, as metrics_bench.py makes them.
std::vector<std::pair<cv::Mat, cv::Mat>> make_pairs() {
  std::vector<std::pair<cv::Mat, cv::Mat>> pairs;
  for (int i = 0; i < kPairs; ++i) {
    const int cx = 400 + i % 41 - 20, cy = 270 + i % 31 - 15;
    const int a = 160 + i % 97, b = 120 + i % 73;
    pairs.emplace_back(
        ellipse(cx + i % 17 - 8, cy + i % 13 - 6, a + i % 19 - 9, b + i % 11),
        ellipse(cx, cy, a, b));
  }
  return pairs;
}

void report(const std::string& what, const std::string& unit,
            const std::vector<double>& values) {
  const nlohmann::json line = {{"series", "metrics/ours/" + what},
                               {"unit", unit},
                               {"values", values},
                               {"ranks", 1}};
  std::cout << line.dump() + "\n" << std::flush;
}

void measure(int rounds) {
  using Clock = std::chrono::steady_clock;
  cv::setNumThreads(1);
  const auto pairs = make_pairs();
  std::vector<double> seconds;
  double dice = 0, hd95 = 0, assd = 0;
  for (int round = 0; round < rounds; ++round) {
    dice = hd95 = assd = 0;
    const auto start = Clock::now();
    for (const auto& [prediction, reference] : pairs) {
      dice += measure_overlap(prediction, reference).dice;
      const auto surface = measure_surface(prediction, reference).value();
      hd95 += surface.hd95();
      assd += surface.assd();
    }
    const std::chrono::duration<double> passed = Clock::now() - start;
    seconds.push_back(passed.count());
  }
  report("seconds", "s", seconds);
  report("dice", "mean", {dice / kPairs});
  report("hd95", "px", {hd95 / kPairs});
  report("assd", "px", {assd / kPairs});
}

}  // namespace
}  // namespace sono::bench

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw sono::ConfigError("usage: metrics_bench ROUNDS");
    sono::bench::measure(sono::bench::parse_count("ROUNDS", argv[1]));
    return 0;
  } catch (const sono::Error& error) {
    std::cerr << error.what() << "\n";
    return error.exit_code();
  }
}
