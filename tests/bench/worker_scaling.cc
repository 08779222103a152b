// Workers that share a list of items by leases, as mpirun's ranks: how much
// faster are several than one?
//
//   worker_scaling sleep ROUNDS    shards of a generator that only sleeps
//   worker_scaling metrics ROUNDS  pairs of PNG files, decoded and scored

#include <unistd.h>

#include <opencv2/imgproc.hpp>
#include <thread>

#include "core/atomic_file.h"
#include "core/error.h"
#include "data/image_file.h"
#include "data/lease.h"
#include "data/shards/writer.h"
#include "experiments/metrics/overlap.h"
#include "experiments/metrics/surface.h"
#include "tests/bench/samples.h"

namespace sono::bench {
namespace {

namespace fs = std::filesystem;

// A folder for all ranks, made by the first.
fs::path shared_folder(const Communicator& comm, int round) {
  const char* tmp = std::getenv("SONO_BENCH_FOLDER");
  if (tmp == nullptr) {
    throw ConfigError(
        "SONO_BENCH_FOLDER is not set: start this by tests/bench/run");
  }
  return fs::path(tmp) / ("workers-" + std::to_string(comm.world_size()) + "-" +
                          std::to_string(round));
}

LeasedWork share(Communicator& comm, std::int64_t items,
                 const fs::path& leases) {
  LeasedWork work;
  work.items = items;
  work.lease_folder = leases;
  work.first_item = first_item_of(items, comm.rank(), comm.world_size());
  return work;
}

// 160 shards of two pairs, 50 ms each.
double make_shards(Communicator& comm, const fs::path& folder) {
  constexpr auto kPause = std::chrono::milliseconds(50);
  const DatasetPlan plan{.count = 320,
                         .samples_per_shard = 2,
                         .config_hash = "sleep",
                         .weights_hash = ""};
  LeasedWork work = share(comm, plan.num_shards(), folder / "leases");
  work.is_done = [&](std::int64_t i) { return shard_done(folder, i); };
  work.work = [&](std::int64_t shard) {
    std::this_thread::sleep_for(kPause);
    std::vector<ShardSample> samples(2);
    for (std::size_t k = 0; k < samples.size(); ++k) {
      samples[k].key = sample_key(2 * shard + static_cast<std::int64_t>(k));
      samples[k].image = cv::Mat(88, 128, CV_8UC1, cv::Scalar(30));
      samples[k].mask = cv::Mat(88, 128, CV_8UC1, cv::Scalar(255));
      samples[k].provenance = {{"sample", samples[k].key}};
    }
    commit_shard(folder, plan, shard, samples);
  };
  return time_together(comm, [&] {
    open_dataset(folder, plan);
    run_leased_work(work, {.poll_seconds = 0.01});
  });
}

constexpr int kPairs = 120;

fs::path png(const fs::path& folder, std::int64_t pair, const char* what) {
  return folder / (std::to_string(pair) + what);
}

void write_pairs(const fs::path& folder) {
  make_directories(folder);
  for (int i = 0; i < kPairs; ++i) {
    for (const char* what : {"-reference.png", "-prediction.png"}) {
      cv::Mat mask = cv::Mat::zeros(540, 800, CV_8UC1);
      const bool moved = std::string(what) == "-prediction.png";
      cv::ellipse(mask, {400 + i % 41 + (moved ? 5 : 0), 270 - i % 31},
                  {160 + i % 97, 120 + i % 73}, i % 90, 0, 360, cv::Scalar(255),
                  cv::FILLED);
      write_png(png(folder, i, what), mask);
    }
  }
}

double score_pairs(Communicator& comm, const fs::path& folder) {
  if (comm.rank() == 0) write_pairs(folder);
  comm.barrier();
  LeasedWork work = share(comm, kPairs, folder / "leases");
  const auto result = [&](std::int64_t i) { return png(folder, i, ".txt"); };
  work.is_done = [&](std::int64_t i) { return fs::exists(result(i)); };
  work.work = [&](std::int64_t i) {
    const cv::Mat reference = read_image(png(folder, i, "-reference.png"));
    const cv::Mat prediction = read_image(png(folder, i, "-prediction.png"));
    const auto surface = measure_surface(prediction, reference).value();
    write_file_atomic(
        result(i), std::to_string(measure_overlap(prediction, reference).dice) +
                       " " + std::to_string(surface.hd95()) + " " +
                       std::to_string(surface.assd()) + "\n");
  };
  return time_together(comm,
                       [&] { run_leased_work(work, {.poll_seconds = 0.01}); });
}

void measure(Communicator& comm, const std::string& kind, int rounds) {
  if (kind != "sleep" && kind != "metrics") {
    throw ConfigError("KIND: " + kind + " should be sleep or metrics");
  }
  cv::setNumThreads(1);
  Series series{
      .name = "workers/" + kind + "/" + std::to_string(comm.world_size()),
      .unit = "items/s",
      .values = {}};
  for (int round = 0; round < rounds; ++round) {
    const fs::path folder = shared_folder(comm, round);
    const double seconds =
        kind == "sleep" ? make_shards(comm, folder) : score_pairs(comm, folder);
    series.values.push_back((kind == "sleep" ? 160 : kPairs) / seconds);
    if (comm.rank() == 0) fs::remove_all(folder);
    comm.barrier();
  }
  print(comm, series);
}

}  // namespace
}  // namespace sono::bench

int main(int argc, char** argv) {
  return sono::bench::bench_main(
      [&](const sono::MpiSession&, sono::Communicator& comm) {
        if (argc != 3) {
          throw sono::ConfigError("usage: worker_scaling KIND ROUNDS");
        }
        sono::bench::measure(comm, argv[1],
                             sono::bench::parse_count("ROUNDS", argv[2]));
      });
}
