// Seconds to tune LiteMedSAM's mask decoder on 50 images for 20 epochs of
// batches of five, as a run does it: every image encoded once into the
// embedding cache, then the training loop. The peers are in
// tests/bench/decoder_tuning.py.
//
//   decoder_tuning WEIGHTS EPOCHS

#include <ATen/Parallel.h>

#include <chrono>
#include <filesystem>
#include <opencv2/imgproc.hpp>

#include "core/allocator.h"
#include "core/error.h"
#include "data/mask.h"
#include "tests/bench/samples.h"
#include "trainer/frozen_features.h"
#include "trainer/segmentation_task.h"
#include "trainer/trainer.h"

namespace fs = std::filesystem;

namespace sono::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kThreads = 2;
constexpr int kImages = 50;
constexpr int kBatch = 5;

// A bright ellipse on noise, where the i-th image has it; the peer draws alike.
struct Head {
  cv::Mat image;  // 256 x 256
  cv::Mat mask;
};

Head head(int i) {
  Head head;
  head.image = cv::Mat(256, 256, CV_8UC1);
  head.mask = cv::Mat::zeros(256, 256, CV_8UC1);
  cv::RNG(static_cast<std::uint64_t>(i) + 1)
      .fill(head.image, cv::RNG::UNIFORM, 0, 120);
  cv::ellipse(head.mask, {128, 128}, {60 + i % 40, 50 + i % 30}, i * 7, 0, 360,
              255, cv::FILLED);
  cv::add(head.image, 100, head.image, head.mask);
  return head;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

TrainingPool pool_of(const std::vector<Head>& heads, FrozenFeatures& features) {
  TrainingPool pool;
  pool.count = static_cast<std::int64_t>(heads.size());
  pool.get = [&](std::int64_t index, std::int64_t) {
    const Head& head = heads.at(static_cast<std::size_t>(index));
    const SamFrame frame(head.image.size());
    return TrainingView{features.embedding(head.image),
                        frame_target(head.mask, SamFrame::kSidePx),
                        frame.from_native(tight_box(head.mask)), frame.whole()};
  };
  return pool;
}

void measure(Communicator& comm, const fs::path& weights, int epochs) {
  at::set_num_threads(kThreads);
  Segmenter segmenter = Segmenter::load(weights);
  std::vector<Head> heads;
  for (int i = 0; i < kImages; ++i) heads.push_back(head(i));
  const fs::path dir = fs::temp_directory_path() / "sono_decoder_tuning";
  fs::remove_all(dir);
  const auto start = Clock::now();
  PackCache cache(dir / "cache", {});
  FrozenFeatures features(segmenter, &cache);
  for (const Head& head : heads) features.embedding(head.image);
  cache.flush();
  const double encoding = seconds_since(start);
  SegmentationTaskConfig task_config;
  task_config.batch_size = kBatch;
  task_config.whole_frame_share = 0;
  SegmentationTask task(segmenter.model(), pool_of(heads, features), {},
                        task_config);
  TrainConfig config;
  config.steps = epochs * kImages / kBatch;
  config.batch_size = kBatch;
  config.lanes = 1;
  config.checkpoint_every = 0;
  StopSignal stop;
  train(comm, task, config, "bench", dir / "checkpoints", stop, nullptr,
        "bench");
  const double all = seconds_since(start);
  fs::remove_all(dir);
  const std::string name = "decoder_tuning/ours/";
  print(comm, {name + "all", "s", {all}});
  print(comm, {name + "tuning", "s", {all - encoding}});
}

}  // namespace
}  // namespace sono::bench

int main(int argc, char** argv) {
  sono::keep_freed_memory();  // as sonoforge does
  return sono::bench::bench_main(
      [&](const sono::MpiSession&, sono::Communicator& comm) {
        if (argc != 3) {
          throw sono::ConfigError("usage: decoder_tuning WEIGHTS EPOCHS");
        }
        sono::bench::measure(comm, argv[1],
                             sono::bench::parse_count("EPOCHS", argv[2]));
      });
}
