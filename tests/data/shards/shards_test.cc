#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <set>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "data/shards/reader.h"
#include "data/shards/tar.h"
#include "data/shards/verify.h"
#include "tests/data/shards/dataset_files.h"
#include "tests/data/shards/made_samples.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

const DatasetPlan kPlan{.count = 10,
                        .samples_per_shard = 4,
                        .config_hash = "cafe",
                        .weights_hash = "beef"};

bool same_pixels(const cv::Mat& a, const cv::Mat& b) {
  return a.size() == b.size() && a.type() == b.type() &&
         cv::countNonZero(a != b) == 0;
}

TEST(Shards, FinishedFolderHoldsPlainNamesOnly) {
  const TemporaryFolder folder;
  make_dataset(folder.path(), kPlan);
  EXPECT_EQ(names_in(folder.path()),
            (std::set<std::string>{
                "manifest.json", "plan.json", "shard-000000.index",
                "shard-000000.tar", "shard-000001.index", "shard-000001.tar",
                "shard-000002.index", "shard-000002.tar", "shards.jsonl"}));
  verify_dataset(folder.path());
}

TEST(Shards, ReaderReturnsEverySample) {
  const TemporaryFolder folder;
  make_dataset(folder.path(), kPlan);
  const ShardReader reader(folder.path());
  ASSERT_EQ(reader.size(), 10);
  for (const std::int64_t i : {9, 0, 4, 3, 7}) {
    const auto sample = reader.read(i);
    const auto expected = made_sample(i);
    EXPECT_EQ(sample.key, expected.key);
    EXPECT_TRUE(same_pixels(sample.image, expected.image)) << i;
    EXPECT_TRUE(same_pixels(sample.mask, expected.mask)) << i;
    EXPECT_EQ(sample.provenance, expected.provenance);
    EXPECT_EQ(reader.entry(i).hash, sample_digest(expected));
  }
  EXPECT_THROW(reader.read(10), Error);
}

TEST(Shards, MembersFollowWebDataset) {
  const TemporaryFolder folder;
  make_dataset(folder.path(), kPlan);
  const auto members = read_tar(folder.path() / "shard-000002.tar");
  ASSERT_EQ(members.size(), 6u);
  EXPECT_EQ(members[0].name, "000008.image.png");
  EXPECT_EQ(members[1].name, "000008.mask.png");
  EXPECT_EQ(members[2].name, "000008.json");
  EXPECT_EQ(members[5].name, "000009.json");
}

TEST(Shards, SameBytesTwiceAndSameHashForAnyShardSize) {
  const TemporaryFolder a, b, c;
  const auto first = make_dataset(a.path(), kPlan);
  make_dataset(b.path(), kPlan);
  EXPECT_EQ(all_bytes(a.path()), all_bytes(b.path()));
  DatasetPlan other = kPlan;
  other.samples_per_shard = 3;
  EXPECT_EQ(make_dataset(c.path(), other).dataset_hash, first.dataset_hash);
}

// Results that name a data set by its hash outlive changes of its format.
TEST(Shards, HashIsOverTheHexadecimalHashesOfTheSamples) {
  const TemporaryFolder folder;
  std::string hashes;
  for (std::int64_t i = 0; i < kPlan.count; ++i) {
    hashes += sample_hash(made_sample(i));
  }
  EXPECT_EQ(make_dataset(folder.path(), kPlan).dataset_hash,
            sha256_hex(hashes));
}

TEST(Shards, HashSeesPixelsAndProvenance) {
  const auto sample = made_sample(1);
  auto pixels = made_sample(1);
  pixels.mask.at<std::uint8_t>(3, 3) ^= 255;
  auto provenance = made_sample(1);
  provenance.provenance["seed"] = 8;
  EXPECT_NE(sample_hash(sample), sample_hash(pixels));
  EXPECT_NE(sample_hash(sample), sample_hash(provenance));
  EXPECT_EQ(sample_hash(sample), sample_hash(made_sample(1)));
}

TEST(Shards, CommittingTwiceIsHarmless) {
  const TemporaryFolder folder, reference;
  make_dataset(reference.path(), kPlan);
  open_dataset(folder.path(), kPlan);
  for (const std::int64_t i : {1, 1, 0, 2, 0}) {
    commit_shard(folder.path(), kPlan, i, made_shard(kPlan, i));
  }
  finalize_dataset(folder.path(), kPlan);
  commit_shard(folder.path(), kPlan, 1, made_shard(kPlan, 1));
  finalize_dataset(folder.path(), kPlan);
  EXPECT_EQ(all_bytes(folder.path()), all_bytes(reference.path()));
}

TEST(Shards, OtherPixelsFromAnotherWorkerAreRefused) {
  const TemporaryFolder folder;
  open_dataset(folder.path(), kPlan);
  const auto samples = made_shard(kPlan, 0);
  commit_shard(folder.path(), kPlan, 0, samples);
  const auto index = read_index(folder.path(), 0);
  fs::remove(working_tar_path(folder.path(), *index));
  auto other = made_shard(kPlan, 0);
  other[1].image.at<std::uint8_t>(0, 0) ^= 1;
  EXPECT_THROW(commit_shard(folder.path(), kPlan, 0, other), DataError);
  EXPECT_FALSE(shard_done(folder.path(), 0));
}

TEST(Shards, AnotherConfigIsRefusedWithBothHashes) {
  const TemporaryFolder folder;
  make_dataset(folder.path(), kPlan);
  DatasetPlan other = kPlan;
  other.config_hash = "f00d";
  try {
    open_dataset(folder.path(), other);
    FAIL() << "a folder of another config was accepted";
  } catch (const ConfigError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("cafe"), std::string::npos) << text;
    EXPECT_NE(text.find("f00d"), std::string::npos) << text;
    EXPECT_NE(text.find("--out"), std::string::npos) << text;
  }
  EXPECT_THROW(finalize_dataset(folder.path(), other), ConfigError);
}

TEST(Shards, BadPlanIsRefused) {
  const TemporaryFolder folder;
  EXPECT_THROW(open_dataset(folder.path(), {.count = 0, .config_hash = "a"}),
               ConfigError);
  EXPECT_THROW(open_dataset(folder.path(), {.count = 1}), ConfigError);
}

TEST(Shards, UnfinishedSetDoesNotFinalize) {
  const TemporaryFolder folder;
  open_dataset(folder.path(), kPlan);
  commit_shard(folder.path(), kPlan, 1, made_shard(kPlan, 1));
  EXPECT_TRUE(shard_done(folder.path(), 1));
  EXPECT_FALSE(shard_done(folder.path(), 0));
  EXPECT_THROW(finalize_dataset(folder.path(), kPlan), DataError);
  EXPECT_NE(verify_message(folder.path()).find("manifest.json"),
            std::string::npos);
  EXPECT_THROW(ShardReader(folder.path()), DataError);
}

// Each state in which a kill can leave finalize_dataset.
TEST(Shards, FinalizeGoesOnFromAnyInstant) {
  const TemporaryFolder reference;
  make_dataset(reference.path(), kPlan);
  for (int state = 0; state < 3; ++state) {
    const TemporaryFolder folder;
    open_dataset(folder.path(), kPlan);
    for (std::int64_t i = 0; i < kPlan.num_shards(); ++i) {
      commit_shard(folder.path(), kPlan, i, made_shard(kPlan, i));
    }
    const auto index = *read_index(folder.path(), 0);
    if (state == 0) {  // after the first plain name
      fs::rename(working_tar_path(folder.path(), index),
                 tar_path(folder.path(), 0));
    }
    if (state >= 1) finalize_dataset(folder.path(), kPlan);
    if (state == 1) fs::remove(manifest_path(folder.path()));
    if (state == 2) {  // a late worker's tar and temporary
      write_file_atomic(working_tar_path(folder.path(), index), "late");
      write_file_atomic(folder.path() / ".shard-000000.json.h.1.0.tmp", "x");
    }
    EXPECT_TRUE(shard_done(folder.path(), 0));
    make_dataset(folder.path(), kPlan);
    EXPECT_EQ(all_bytes(folder.path()), all_bytes(reference.path())) << state;
  }
}

TEST(Shards, MissingShardsAreSeenInOneListing) {
  const TemporaryFolder folder;
  open_dataset(folder.path(), kPlan);
  EXPECT_EQ(missing_shards(folder.path(), kPlan),
            (std::vector<std::int64_t>{0, 1, 2}));
  commit_shard(folder.path(), kPlan, 1, made_shard(kPlan, 1));
  write_file_atomic(folder.path() / "shard-000000.0a.tar", "no index yet");
  EXPECT_EQ(missing_shards(folder.path(), kPlan),
            (std::vector<std::int64_t>{0, 2}));
  make_dataset(folder.path(), kPlan);
  EXPECT_TRUE(missing_shards(folder.path(), kPlan).empty());
}

// The files of a million samples; only their names matter to a plan.
TEST(Shards, AResumedMillionIsPlannedInUnderTwoSeconds) {
  const TemporaryFolder folder;
  const DatasetPlan plan{.count = 1000000, .config_hash = "cafe"};
  std::vector<std::int64_t> expected;
  for (std::int64_t shard = 0; shard < plan.num_shards(); ++shard) {
    std::ofstream(index_path(folder.path(), shard));
    if (shard % 1000 == 7) {
      expected.push_back(shard);
    } else {
      std::ofstream(tar_path(folder.path(), shard));
    }
  }
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(missing_shards(folder.path(), plan), expected);
  const std::chrono::duration<double> passed =
      std::chrono::steady_clock::now() - start;
  EXPECT_LT(passed.count(), 2);
}

TEST(Shards, ManifestDoesNotGrowWithTheSamples) {
  std::vector<std::uintmax_t> sizes;
  for (const std::int64_t count : {10, 90}) {
    const TemporaryFolder folder;
    DatasetPlan plan = kPlan;
    plan.count = count;
    make_dataset(folder.path(), plan);
    sizes.push_back(fs::file_size(manifest_path(folder.path())));
  }
  EXPECT_EQ(sizes[0], sizes[1]);
}

TEST(Shards, DamagedIndexIsMadeAgain) {
  const TemporaryFolder folder, reference;
  make_dataset(reference.path(), kPlan);
  open_dataset(folder.path(), kPlan);
  commit_shard(folder.path(), kPlan, 0, made_shard(kPlan, 0));
  flip_bit(index_path(folder.path(), 0), 40);
  EXPECT_FALSE(shard_done(folder.path(), 0));
  make_dataset(folder.path(), kPlan);
  EXPECT_EQ(all_bytes(folder.path()), all_bytes(reference.path()));
}

// A listing cannot see this damage: finalize does, and the next plan then
// holds the shard.
TEST(Shards, FinalizeGivesDamagedShardsBackToThePlan) {
  const TemporaryFolder folder, reference;
  make_dataset(reference.path(), kPlan);
  open_dataset(folder.path(), kPlan);
  for (std::int64_t i = 0; i < kPlan.num_shards(); ++i) {
    commit_shard(folder.path(), kPlan, i, made_shard(kPlan, i));
  }
  flip_bit(index_path(folder.path(), 2), 90);
  try {
    finalize_dataset(folder.path(), kPlan);
    FAIL() << "a damaged index was taken";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("shard-000002.index: damaged"),
              std::string::npos)
        << error.what();
  }
  EXPECT_EQ(missing_shards(folder.path(), kPlan),
            (std::vector<std::int64_t>{2}));
  make_dataset(folder.path(), kPlan);
  EXPECT_EQ(all_bytes(folder.path()), all_bytes(reference.path()));
}

}  // namespace
}  // namespace sono
