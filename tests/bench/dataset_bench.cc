// Pairs a second that a data set of shards takes on and gives back, and what it
// costs to start in the middle of an epoch. The peers are in
// tests/bench/dataset_bench.py.
//
//   dataset_bench make POOL                 256 phantom pairs, for both sides
//   dataset_bench write POOL FOLDER COUNT ROUNDS    one thread, with checksums
//   dataset_bench read FOLDER ROUNDS        two threads, batches of 64
//   dataset_bench resume FOLDER ROUNDS

#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/message.h"
#include "data/loader/loader.h"
#include "data/phantom/phantom.h"
#include "tests/bench/samples.h"

namespace sono::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kSide = 256, kPool = 256, kBatch = 64;
constexpr std::size_t kPixels = std::size_t{kSide} * kSide;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         1e-9 * static_cast<double>(time.tv_nsec);
}

void report(const std::string& what, const std::string& unit,
            const std::vector<double>& values) {
  const nlohmann::json line = {{"series", "dataset/" + what},
                               {"unit", unit},
                               {"values", values},
                               {"ranks", 1}};
  std::cout << line.dump() + "\n" << std::flush;
}

// Image and mask of each pair, row by row, one after the other.
void make_pool(const fs::path& path) {
  PhantomConfig config;
  config.width = config.height = kSide;
  std::string bytes;
  for (int i = 0; i < kPool; ++i) {
    const Phantom phantom = make_phantom(config, static_cast<std::uint64_t>(i));
    for (const cv::Mat& pixels : {phantom.image, phantom.mask}) {
      const cv::Mat whole = pixels.clone();
      bytes.append(reinterpret_cast<const char*>(whole.data), kPixels);
    }
  }
  write_file_atomic(path, bytes);
}

std::vector<ShardSample> read_pool(const fs::path& path) {
  const std::string bytes = read_file(path);
  if (bytes.size() != 2 * kPixels * kPool) {
    throw DataError(path.string() + ": not what `dataset_bench make` writes");
  }
  std::vector<ShardSample> pool(kPool);
  for (std::size_t i = 0; i < pool.size(); ++i) {
    pool[i].image.create(kSide, kSide, CV_8UC1);
    pool[i].mask.create(kSide, kSide, CV_8UC1);
    std::memcpy(pool[i].image.data, &bytes[2 * i * kPixels], kPixels);
    std::memcpy(pool[i].mask.data, &bytes[(2 * i + 1) * kPixels], kPixels);
  }
  return pool;
}

// As dataset_bench.py has it.
nlohmann::json provenance(std::int64_t sample) {
  return {{"generator", "bench"},
          {"seed", 7},
          {"sample", sample},
          {"weights", std::string(64, 'a')},
          {"config", std::string(64, 'b')},
          {"gate", {{"accepted", true}, {"reason", ""}}}};
}

void write_set(const std::vector<ShardSample>& pool, const fs::path& folder,
               const DatasetPlan& plan) {
  open_dataset(folder, plan);
  for (std::int64_t shard = 0; shard < plan.num_shards(); ++shard) {
    std::vector<ShardSample> samples;
    for (std::int64_t k = 0; k < plan.samples_in(shard); ++k) {
      const std::int64_t i = plan.first_sample(shard) + k;
      samples.push_back(pool[static_cast<std::size_t>(i % kPool)]);
      samples.back().key = sample_key(i);
      samples.back().provenance = provenance(i);
    }
    commit_shard(folder, plan, shard, samples);
  }
  finalize_dataset(folder, plan);
}

void write(const fs::path& pool_path, const fs::path& folder, int count,
           int rounds) {
  const auto pool = read_pool(pool_path);
  const DatasetPlan plan{.count = count,
                         .samples_per_shard = 256,
                         .config_hash = "bench",
                         .weights_hash = ""};
  std::vector<double> rates, core_rates;
  for (int round = 0; round < rounds; ++round) {
    fs::remove_all(folder);
    const auto start = Clock::now();
    const double start_cpu = cpu_seconds();
    write_set(pool, folder, plan);
    core_rates.push_back(count / (cpu_seconds() - start_cpu));
    rates.push_back(count / seconds_since(start));
  }
  double bytes = 0;
  for (const auto& file : fs::directory_iterator(folder)) {
    bytes += static_cast<double>(file.file_size());
  }
  report("write/ours/rate", "pairs/s", rates);
  report("write/ours/core_rate", "pairs/CPU s", core_rates);
  report("write/ours/bytes", "bytes", {bytes / count});
}

LoaderConfig loader_config() {
  LoaderConfig config;
  config.threads = 2;
  return config;
}

void read(const fs::path& folder, int rounds) {
  std::vector<double> rates;
  std::vector<std::uint8_t> batch(2 * kPixels * kBatch);
  for (int round = 0; round < rounds; ++round) {
    const auto start = Clock::now();
    SampleLoader loader(folder, loader_config(), 0, 1, {round, 0});
    std::int64_t count = 0;
    while (const auto sample = loader.next()) {
      const auto slot = static_cast<std::size_t>(count++ % kBatch);
      std::memcpy(&batch[2 * slot * kPixels], sample->image.data, kPixels);
      std::memcpy(&batch[(2 * slot + 1) * kPixels], sample->mask.data, kPixels);
    }
    rates.push_back(static_cast<double>(count) / seconds_since(start));
    if (count != loader.size()) throw Error("the epoch is not complete");
  }
  report("read/ours/rate", "pairs/s", rates);
}

// From nothing to the first sample.
void resume(const fs::path& folder, int rounds) {
  const std::int64_t size = ShardReader(folder).size();
  std::vector<double> at_start, at_end;
  for (int round = 0; round < 20 * rounds; ++round) {
    for (auto* seconds : {&at_start, &at_end}) {
      const auto start = Clock::now();
      SampleLoader loader(folder, loader_config(), 0, 1,
                          {round, seconds == &at_start ? 0 : size * 99 / 100});
      if (!loader.next()) throw Error("no sample at 99 %");
      seconds->push_back(seconds_since(start));
    }
  }
  report("resume/ours/0", "s", at_start);
  report("resume/ours/99", "s", at_end);
}

void run(const std::vector<std::string>& words) {
  const std::string mode = words.empty() ? "" : words[0];
  if (mode == "make" && words.size() == 2) {
    make_pool(words[1]);
  } else if (mode == "write" && words.size() == 5) {
    write(words[1], words[2], parse_count("COUNT", words[3]),
          parse_count("ROUNDS", words[4]));
  } else if (mode == "read" && words.size() == 3) {
    read(words[1], parse_count("ROUNDS", words[2]));
  } else if (mode == "resume" && words.size() == 3) {
    resume(words[1], parse_count("ROUNDS", words[2]));
  } else {
    throw ConfigError(
        "usage: dataset_bench make POOL | write POOL FOLDER COUNT ROUNDS | "
        "read FOLDER ROUNDS | resume FOLDER ROUNDS");
  }
}

}  // namespace
}  // namespace sono::bench

int main(int argc, char** argv) {
  try {
    sono::configure_log("warn", 0);
    cv::setNumThreads(1);
    sono::bench::run({argv + 1, argv + argc});
    return 0;
  } catch (const sono::Error& error) {
    std::cerr << error.what() << "\n";
    return error.exit_code();
  }
}
