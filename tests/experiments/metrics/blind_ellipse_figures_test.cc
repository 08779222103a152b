// The blind ellipse on the real cohorts. HC18 reaches the protocol's figure
// (91.2). The Spanish heads come to 94.0, above the protocol's 93.2: a numpy
// replica of this rule gives 93.8 to 94.1 over six sets of draws, and neither
// the two open outlines nor clipping the boxes explains the difference.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "core/random.h"
#include "data/image_file.h"
#include "data/mask.h"
#include "experiments/evaluation/baselines.h"
#include "experiments/metrics/overlap.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

constexpr int kFrameSide = 256, kNumDraws = 5, kJitter = 20;  // 0 .. 19

fs::path data_folder() {
  const char* given = std::getenv("SONO_DATA");
  return given ? fs::path(given) : fs::path(SONO_SOURCE_DIR "/../shared/data");
}

std::vector<fs::path> annotations(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().stem().string().ends_with("_Annotation")) {
      paths.push_back(entry.path());
    }
  }
  std::ranges::sort(paths);
  return paths;
}

// The tight box with each side moved outwards by 0..19 px of the 256 frame.
Box jittered(const Box& box, double native_per_frame, cv::Size size,
             Random& random) {
  const auto step = [&] {
    return static_cast<double>(random.below(kJitter)) * native_per_frame;
  };
  return {std::max(0.0, box.x0 - step()), std::max(0.0, box.y0 - step()),
          std::min<double>(size.width, box.x1 + step()),
          std::min<double>(size.height, box.y1 + step())};
}

double mean_dice(const std::vector<fs::path>& paths) {
  double sum = 0;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const cv::Mat mask = fill_annotation(read_image(paths[i]),
                                         MaskPolicy::kAuto, paths[i].string())
                             .mask;
    const double native_per_frame =
        std::max(mask.cols, mask.rows) / static_cast<double>(kFrameSide);
    for (int draw = 0; draw < kNumDraws; ++draw) {
      Random random(make_key("test.jitter", 0, i, draw));
      const Box prompt =
          jittered(tight_box(mask), native_per_frame, mask.size(), random);
      const cv::Mat found =
          blind_ellipse(prompt, 9.5 * native_per_frame, mask.size());
      sum += measure_overlap(found, mask).dice;
    }
  }
  return sum / static_cast<double>(paths.size() * kNumDraws);
}

TEST(BlindEllipseFigures, Hc18IsAt91Point2) {
  const fs::path folder = data_folder() / "hc18/training_set";
  if (!fs::exists(folder)) GTEST_SKIP() << "no HC18 at " << folder;
  const auto paths = annotations(folder);
  if (paths.size() != 279)
    GTEST_SKIP() << "another cut of HC18: " << paths.size();
  EXPECT_NEAR(100 * mean_dice(paths), 91.2, 0.2);
}

TEST(BlindEllipseFigures, SpanishHeadsAreAt94) {
  const fs::path folder = data_folder() / "spain_head/mask";
  if (!fs::exists(folder)) GTEST_SKIP() << "no Spanish heads at " << folder;
  const auto paths = annotations(folder);
  if (paths.size() != 17) GTEST_SKIP() << "another cut: " << paths.size();
  EXPECT_NEAR(100 * mean_dice(paths), 94.0, 0.5);
}

}  // namespace
}  // namespace sono
