#pragma once
// Samples that are a pure function of their number.

#include <vector>

#include "core/random.h"
#include "data/shards/writer.h"

namespace sono {

inline ShardSample made_sample(std::int64_t number) {
  ShardSample sample;
  sample.key = sample_key(number);
  Random random(make_key("test.sample", 7, static_cast<std::uint64_t>(number)));
  sample.image.create(11, 16, CV_8UC1);
  sample.mask.create(11, 16, CV_8UC1);
  for (int y = 0; y < 11; ++y) {
    for (int x = 0; x < 16; ++x) {
      sample.image.at<std::uint8_t>(y, x) =
          static_cast<std::uint8_t>(random.below(256));
      sample.mask.at<std::uint8_t>(y, x) = random.below(2) == 0 ? 0 : 255;
    }
  }
  sample.provenance = {{"seed", 7}, {"sample", number}};
  return sample;
}

inline std::vector<ShardSample> made_shard(const DatasetPlan& plan,
                                           std::int64_t shard) {
  std::vector<ShardSample> samples;
  for (std::int64_t k = 0; k < plan.samples_in(shard); ++k) {
    samples.push_back(made_sample(plan.first_sample(shard) + k));
  }
  return samples;
}

// Makes what is not there yet, alone.
inline Manifest make_dataset(const std::filesystem::path& folder,
                             const DatasetPlan& plan) {
  open_dataset(folder, plan);
  for (std::int64_t i = 0; i < plan.num_shards(); ++i) {
    if (!shard_done(folder, i)) {
      commit_shard(folder, plan, i, made_shard(plan, i));
    }
  }
  return finalize_dataset(folder, plan);
}

}  // namespace sono
