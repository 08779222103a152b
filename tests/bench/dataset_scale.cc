// What a data set's size costs: a worker makes COUNT samples of a trivial
// generator, then a worker resumes the job with one shard in a hundred missing,
// then readers open the finished set and read samples from all over it.
//
//   dataset_scale FOLDER COUNT

#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.h"
#include "core/message.h"
#include "data/lease.h"
#include "data/shards/reader.h"
#include "tests/bench/samples.h"

namespace sono::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double peak_resident_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024;
}

void report(std::int64_t count, const std::string& what,
            const std::string& unit, const std::vector<double>& values) {
  const nlohmann::json line = {
      {"series", "dataset_scale/" + std::to_string(count) + "/" + what},
      {"unit", unit},
      {"values", values},
      {"ranks", 1}};
  std::cout << line.dump() + "\n" << std::flush;
}

std::vector<ShardSample> make_shard(const DatasetPlan& plan,
                                    std::int64_t shard) {
  std::vector<ShardSample> samples(
      static_cast<std::size_t>(plan.samples_in(shard)));
  for (std::size_t k = 0; k < samples.size(); ++k) {
    const std::int64_t i =
        plan.first_sample(shard) + static_cast<std::int64_t>(k);
    samples[k].key = sample_key(i);
    samples[k].image = cv::Mat(8, 8, CV_8UC1, cv::Scalar(i % 251));
    samples[k].mask = cv::Mat(8, 8, CV_8UC1, cv::Scalar(255));
    samples[k].provenance = {{"sample", i}};
  }
  return samples;
}

// A worker from start to end: what is missing, the shards, the manifest.
Manifest produce(const fs::path& folder, const DatasetPlan& plan,
                 double& seconds_to_first_shard, double& finalize_seconds) {
  const auto start = Clock::now();
  seconds_to_first_shard = -1;
  open_dataset(folder, plan);
  LeasedWork work;
  work.items = plan.num_shards();
  work.is_done = [&](std::int64_t i) { return shard_done(folder, i); };
  work.find_missing = [&] { return missing_shards(folder, plan); };
  work.work = [&](std::int64_t i) {
    if (seconds_to_first_shard < 0) {
      seconds_to_first_shard = seconds_since(start);
    }
    commit_shard(folder, plan, i, make_shard(plan, i));
  };
  work.lease_folder = folder / "leases";
  run_leased_work(work, {});
  const auto made = Clock::now();
  Manifest manifest = finalize_dataset(folder, plan);
  finalize_seconds = seconds_since(made);
  return manifest;
}

// A set with one shard in a hundred missing, as a kill leaves it.
void damage(const fs::path& folder, const DatasetPlan& plan) {
  fs::remove(manifest_path(folder));
  for (std::int64_t shard = 0; shard < plan.num_shards(); shard += 100) {
    fs::remove(index_path(folder, shard));
    fs::remove(tar_path(folder, shard));
  }
}

// Opening the set and reading one sample, samples from all over it.
std::vector<double> seek(const fs::path& folder, std::int64_t count) {
  constexpr int kSamples = 200;
  std::vector<double> seconds;
  for (std::int64_t k = 0; k < kSamples; ++k) {
    const auto start = Clock::now();
    const ShardReader reader(folder);
    if (reader.read(k * (count - 1) / (kSamples - 1)).image.empty()) {
      throw Error("an empty sample");
    }
    seconds.push_back(seconds_since(start));
  }
  return seconds;
}

void run(const fs::path& folder, std::int64_t count) {
  const DatasetPlan plan{.count = count,
                         .samples_per_shard = 64,
                         .config_hash = "scale",
                         .weights_hash = ""};
  double first = 0, finalize = 0;
  const std::string hash = produce(folder, plan, first, finalize).dataset_hash;
  report(count, "finalize", "s", {finalize});
  report(count, "peak_resident", "bytes", {peak_resident_bytes()});
  report(count, "seek", "s", seek(folder, count));
  damage(folder, plan);
  if (produce(folder, plan, first, finalize).dataset_hash != hash) {
    throw Error("the resumed data set is another");
  }
  report(count, "plan", "s", {first});
  report(count, "peak_resident_all", "bytes", {peak_resident_bytes()});
  report(count, "manifest", "bytes",
         {static_cast<double>(fs::file_size(manifest_path(folder)))});
}

}  // namespace
}  // namespace sono::bench

int main(int argc, char** argv) {
  try {
    if (argc != 3) throw sono::ConfigError("usage: dataset_scale FOLDER COUNT");
    sono::configure_log("warn", 0);
    sono::bench::run(argv[1], sono::bench::parse_count("COUNT", argv[2]));
    return 0;
  } catch (const sono::Error& error) {
    std::cerr << error.what() << "\n";
    return error.exit_code();
  }
}
