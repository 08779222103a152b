// Zero-shot Dice of every image of both cohorts against the Python package.
// Make the peer's files first (minutes), and name their folder:
//   python tests/parity/zero_shot.py hc18 DATA/hc18 DIR/hc18.csv
//   python tests/parity/zero_shot.py pairs DATA/spain_head DIR/spain_head.csv
//   SONO_ZERO_SHOT=DIR ctest -R zero_shot_test

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "data/cohort.h"
#include "data/image_file.h"
#include "trainer/segmenter.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

struct PeerRow {
  Box box;  // frame px
  double dice = 0;
};
// By image, then prompt.
using PeerRows = std::map<std::string, std::map<std::string, PeerRow>>;

PeerRows read_peer(const fs::path& path) {
  std::ifstream file(path);
  PeerRows rows;
  std::string line, id, prompt;
  std::getline(file, line);
  while (std::getline(file, line)) {
    for (char& c : line) c = c == ',' ? ' ' : c;
    PeerRow row;
    std::istringstream(line) >> id >> prompt >> row.box.x0 >> row.box.y0 >>
        row.box.x1 >> row.box.y1 >> row.dice;
    rows[id][prompt] = row;
  }
  return rows;
}

double dice(const cv::Mat& a, const cv::Mat& b) {
  const double sizes = cv::countNonZero(a) + cv::countNonZero(b);
  return 2.0 * cv::countNonZero(a & b) / std::max(sizes, 1.0);
}

fs::path data_folder() {
  const char* data = std::getenv("SONO_DATA");
  return data ? fs::path(data) : fs::path(SONO_SOURCE_DIR) / "../shared/data";
}

void compare(const std::string& name, double tolerance,
             const std::map<std::string, double>& means) {
  const char* peers = std::getenv("SONO_ZERO_SHOT");
  const fs::path weights =
      fs::path(SONO_SOURCE_DIR) / ".deps/weights/lite_medsam.pth";
  if (!peers || !fs::exists(weights) || !fs::exists(data_folder() / name)) {
    GTEST_SKIP() << "needs SONO_ZERO_SHOT (see the top of this file), the "
                    "weights and the cohort "
                 << name;
  }
  at::set_num_threads(1);
  const PeerRows rows = read_peer(fs::path(peers) / (name + ".csv"));
  const Segmenter segmenter = Segmenter::load(weights);
  const Cohort cohort = open_cohort(name, data_folder() / name);
  ASSERT_EQ(rows.size(), cohort.size());
  std::map<std::string, double> sums;
  for (std::size_t i = 0; i < cohort.size(); ++i) {
    const Sample sample = cohort.load(i);
    const cv::Size native = sample.image.size();
    const cv::Mat reference =
        read_image(fs::path(peers) / (name + ".masks") / (sample.id + ".png"));
    const at::Tensor embedding = segmenter.encode(sample.image);
    for (const auto& [prompt, peer] : rows.at(sample.id)) {
      const Box box =
          prompt == "self" ? segmenter.self_box(embedding, native) : peer.box;
      const double own =
          dice(segmenter.predict(embedding, box, native), reference);
      EXPECT_NEAR(own, peer.dice, tolerance) << sample.id << " " << prompt;
      sums[prompt] += 100 * own;
    }
  }
  for (const auto& [prompt, mean] : means) {
    const double own = sums[prompt] / static_cast<double>(cohort.size());
    std::cout << name << " " << prompt << ": " << own << "\n";
    EXPECT_NEAR(own, mean, 0.5) << prompt;
  }
}

TEST(ZeroShot, Hc18) {
  compare("hc18", 0.002, {{"gt-box", 94.8}, {"frame", 61.4}, {"self", 65.5}});
}

TEST(ZeroShot, SpanishHeads) {
  compare("spain_head", 0.002,
          {{"gt-box", 96.0}, {"frame", 81.4}, {"self", 83.7}});
}

}  // namespace
}  // namespace sono
