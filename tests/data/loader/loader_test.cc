#include "data/loader/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "core/error.h"
#include "tests/data/shards/dataset_files.h"
#include "tests/data/shards/made_samples.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

using Keys = std::vector<std::string>;

const DatasetPlan kPlan{
    .count = 53, .samples_per_shard = 4, .config_hash = "cafe"};

class Loader : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    whole_ = std::make_unique<TemporaryFolder>();
    make_dataset(whole_->path(), kPlan);
  }
  static void TearDownTestSuite() { whole_.reset(); }

  LoaderConfig config(int threads = 2) const {
    return {.window_shards = 3, .seed = 5, .threads = threads, .prefetch = 6};
  }
  static const std::filesystem::path& dataset() { return whole_->path(); }
  // What is left of the epoch, with `most` at most.
  static Keys take(SampleLoader& loader, std::size_t most = 1000) {
    Keys keys;
    while (keys.size() < most) {
      const auto sample = loader.next();
      if (!sample) break;
      keys.push_back(sample->key);
    }
    return keys;
  }
  Keys all(const LoaderConfig& with, LoaderCursor start = {}) const {
    SampleLoader loader(dataset(), with, 0, 1, start);
    return take(loader);
  }

  static std::unique_ptr<TemporaryFolder> whole_;  // shared, never changed
};

std::unique_ptr<TemporaryFolder> Loader::whole_;

TEST_F(Loader, SamplesComeDecodedAndComplete) {
  SampleLoader loader(dataset(), config());
  EXPECT_EQ(loader.size(), 53);
  while (const auto sample = loader.next()) {
    const auto expected = made_sample(std::stoll(sample->key));
    EXPECT_EQ(sample_hash(*sample), sample_hash(expected)) << sample->key;
  }
  EXPECT_FALSE(loader.next());
  EXPECT_EQ(loader.cursor(), (LoaderCursor{0, 53}));
}

TEST_F(Loader, TheOrderDoesNotDependOnThreads) {
  for (const auto shuffle :
       {Shuffle::kNone, Shuffle::kShards, Shuffle::kFull}) {
    auto one = config(1), many = config(7);
    one.shuffle = many.shuffle = shuffle;
    many.prefetch = 40;
    EXPECT_EQ(all(one), all(many));
  }
}

// Ranks together give what one alone gives, in turn.
TEST_F(Loader, RanksShareAnEpochExactly) {
  const Keys alone = all(config());
  for (int world = 1; world <= 6; ++world) {
    Keys together(alone.size());
    for (int rank = 0; rank < world; ++rank) {
      SampleLoader loader(dataset(), config(), rank, world);
      const Keys keys = take(loader);
      for (std::size_t k = 0; k < keys.size(); ++k) {
        together.at(static_cast<std::size_t>(rank) +
                    k * static_cast<std::size_t>(world)) = keys[k];
      }
    }
    EXPECT_EQ(together, alone) << world;
  }
}

// Three ranks stop together anywhere; two go on: nothing is lost or doubled.
TEST_F(Loader, ACursorGoesOnOnAnotherWorldSize) {
  const Keys alone = all(config());
  for (const std::size_t each : {0, 1, 5, 17, 18}) {
    Keys seen;
    LoaderCursor cursor;
    for (int rank = 0; rank < 3; ++rank) {
      SampleLoader loader(dataset(), config(), rank, 3);
      const Keys keys = take(loader, each);
      seen.insert(seen.end(), keys.begin(), keys.end());
      if (rank == 0) cursor = loader.cursor();
    }
    for (int rank = 0; rank < 2; ++rank) {
      SampleLoader loader(dataset(), config(), rank, 2, cursor);
      const Keys keys = take(loader);
      seen.insert(seen.end(), keys.begin(), keys.end());
    }
    std::sort(seen.begin(), seen.end());
    Keys expected = alone;
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(seen, expected) << each;
  }
}

TEST_F(Loader, SeekGoesToAnyPlace) {
  SampleLoader loader(dataset(), config());
  const Keys first = take(loader);
  loader.seek({0, 50});
  EXPECT_EQ(take(loader), Keys(first.begin() + 50, first.end()));
  loader.seek({1, 0});
  const Keys second = take(loader);
  EXPECT_NE(second, first);
  EXPECT_EQ(second, all(config(), {1, 0}));
  EXPECT_THROW(loader.seek({0, 54}), ConfigError);
  EXPECT_FALSE(loader.next());
  loader.seek({0, 53});
  EXPECT_FALSE(loader.next());
}

TEST_F(Loader, ADamagedShardIsNamedAtItsPlaceAndPassed) {
  const Keys whole = all(config());
  const TemporaryFolder folder;
  std::filesystem::copy(dataset(), folder.path(),
                        std::filesystem::copy_options::recursive);
  const ShardReader reader(folder.path());
  flip_bit(tar_path(folder.path(), 6), reader.entry(25).image.offset + 9);
  std::filesystem::remove(tar_path(folder.path(), 2));
  SampleLoader loader(folder.path(), config(3));
  Keys seen, failed;
  for (std::size_t k = 0; k < whole.size(); ++k) {
    try {
      seen.push_back(loader.next()->key);
      EXPECT_EQ(seen.back(), whole[k]);
    } catch (const DataError& error) {
      failed.push_back(whole[k]);
      const std::string shard =
          whole[k] == "000025" ? "shard-000006.tar" : "shard-000002.tar";
      EXPECT_NE(std::string(error.what()).find(shard), std::string::npos)
          << error.what();
    }
  }
  EXPECT_FALSE(loader.next());
  std::sort(failed.begin(), failed.end());
  EXPECT_EQ(failed, (Keys{"000008", "000009", "000010", "000011", "000025"}));
}

TEST_F(Loader, OnlyAcceptedSamplesWhenAsked) {
  const TemporaryFolder folder;
  open_dataset(folder.path(), kPlan);
  Keys expected;
  for (std::int64_t shard = 0; shard < kPlan.num_shards(); ++shard) {
    auto samples = made_shard(kPlan, shard);
    for (auto& sample : samples) {
      const bool accepted = std::stoi(sample.key) % 5 < 2 && shard != 3;
      sample.provenance["gate"] = {{"accepted", accepted}};
      if (accepted) expected.push_back(sample.key);
    }
    commit_shard(folder.path(), kPlan, shard, samples);
  }
  finalize_dataset(folder.path(), kPlan);
  for (const auto shuffle :
       {Shuffle::kNone, Shuffle::kShards, Shuffle::kFull}) {
    auto with = config();
    with.accepted_only = true;
    with.shuffle = shuffle;
    SampleLoader loader(folder.path(), with);
    Keys keys = take(loader);
    if (shuffle != Shuffle::kNone) std::sort(keys.begin(), keys.end());
    EXPECT_EQ(keys, expected);
  }
}

TEST_F(Loader, LeavingEarlyIsPrompt) {
  const auto start = std::chrono::steady_clock::now();
  for (int k = 0; k < 20; ++k) {
    auto with = config(4);
    with.prefetch = 50;
    SampleLoader loader(dataset(), with);
    if (k % 2 == 0) loader.next();
  }
  const std::chrono::duration<double> passed =
      std::chrono::steady_clock::now() - start;
  EXPECT_LT(passed.count(), 10);
}

TEST_F(Loader, BadConfigsAreRefused) {
  auto with = config();
  with.threads = 0;
  EXPECT_THROW(SampleLoader(dataset(), with), ConfigError);
  const LoaderCursor behind{0, 54};
  EXPECT_THROW(SampleLoader(dataset(), config(), 0, 1, behind), ConfigError);
  EXPECT_THROW(SampleLoader(dataset(), config(), 2, 2), Error);
  const TemporaryFolder empty;
  EXPECT_THROW(SampleLoader(empty.path(), config()), DataError);
}

}  // namespace
}  // namespace sono
