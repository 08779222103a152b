#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/hash.h"
#include "data/shards/reader.h"
#include "data/shards/tar.h"
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

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& file : fs::directory_iterator(folder)) {
    names.insert(file.path().filename().string());
  }
  return names;
}

std::string all_bytes(const fs::path& folder) {
  std::string bytes;
  for (const auto& name : names_in(folder)) {
    bytes += name + read_file(folder / name);
  }
  return sha256_hex(bytes);
}

// The message of the DataError that verify_dataset must throw.
std::string verify_message(const fs::path& folder) {
  try {
    verify_dataset(folder);
  } catch (const DataError& error) {
    EXPECT_EQ(error.exit_code(), 3);
    return error.what();
  }
  ADD_FAILURE() << "verify found nothing wrong";
  return "";
}

void flip_bit(const fs::path& path, std::int64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(offset);
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(offset);
  file.put(byte);
}

TEST(Shards, FinishedFolderHoldsPlainNamesOnly) {
  const TemporaryFolder folder;
  make_dataset(folder.path(), kPlan);
  EXPECT_EQ(
      names_in(folder.path()),
      (std::set<std::string>{"manifest.json", "plan.json", "shard-000000.tar",
                             "shard-000001.tar", "shard-000002.tar"}));
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
    EXPECT_EQ(reader.entry(i).hash, sample_hash(expected));
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
  auto entry = read_entry(folder.path(), 0);
  fs::remove(working_tar_path(folder.path(), *entry));
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
    const auto entry = *read_entry(folder.path(), 0);
    const auto entry_bytes = read_file(entry_path(folder.path(), 0));
    if (state == 0) {  // after the first plain name
      fs::rename(working_tar_path(folder.path(), entry),
                 tar_path(folder.path(), 0));
    }
    if (state >= 1) finalize_dataset(folder.path(), kPlan);
    if (state == 1) {  // before the entries are removed
      write_file_atomic(entry_path(folder.path(), 0), entry_bytes);
    }
    if (state == 2) {  // a late worker's tar and temporary
      write_file_atomic(working_tar_path(folder.path(), entry), "late");
      write_file_atomic(folder.path() / ".shard-000000.json.h.1.0.tmp", "x");
    }
    EXPECT_TRUE(shard_done(folder.path(), 0));
    make_dataset(folder.path(), kPlan);
    EXPECT_EQ(all_bytes(folder.path()), all_bytes(reference.path())) << state;
  }
}

TEST(Shards, DamagedEntryIsMadeAgain) {
  const TemporaryFolder folder, reference;
  make_dataset(reference.path(), kPlan);
  open_dataset(folder.path(), kPlan);
  commit_shard(folder.path(), kPlan, 0, made_shard(kPlan, 0));
  flip_bit(entry_path(folder.path(), 0), 40);
  EXPECT_FALSE(shard_done(folder.path(), 0));
  make_dataset(folder.path(), kPlan);
  EXPECT_EQ(all_bytes(folder.path()), all_bytes(reference.path()));
}

TEST(Verify, NamesTruncatedFlippedAndMissing) {
  const TemporaryFolder folder;
  make_dataset(folder.path(), kPlan);
  const auto tar0 = folder.path() / "shard-000000.tar";
  fs::resize_file(tar0, fs::file_size(tar0) / 2);
  const ShardReader reader(folder.path());
  flip_bit(folder.path() / "shard-000001.tar",
           reader.entry(5).mask.offset + 20);
  fs::remove(folder.path() / "shard-000002.tar");
  const std::string text = verify_message(folder.path());
  EXPECT_NE(text.find("shard-000000.tar"), std::string::npos) << text;
  EXPECT_NE(text.find("truncated"), std::string::npos) << text;
  EXPECT_NE(text.find("shard-000001.tar: 000005.mask.png"), std::string::npos)
      << text;
  EXPECT_NE(text.find("shard-000002.tar: missing"), std::string::npos) << text;
  EXPECT_THROW(reader.read(3), DataError);
  EXPECT_THROW(reader.read(5), DataError);
  EXPECT_THROW(reader.read(9), DataError);
  EXPECT_EQ(reader.read(6).key, "000006");  // whole beside a damaged one
}

TEST(Verify, FlippedBitOutsideMembersIsFound) {
  const TemporaryFolder folder;
  make_dataset(folder.path(), kPlan);
  flip_bit(folder.path() / "shard-000000.tar", 110);  // a header's mode
  EXPECT_NE(verify_message(folder.path()).find("shard-000000.tar"),
            std::string::npos);
}

TEST(Verify, DamagedOrMissingIndexIsNamed) {
  const TemporaryFolder folder;
  make_dataset(folder.path(), kPlan);
  flip_bit(manifest_path(folder.path()), 200);
  EXPECT_NE(verify_message(folder.path()).find("manifest.json"),
            std::string::npos);
  EXPECT_THROW(ShardReader(folder.path()), DataError);
  fs::remove(manifest_path(folder.path()));
  EXPECT_NE(verify_message(folder.path()).find("manifest.json: missing"),
            std::string::npos);
}

TEST(Mend, OnlyDamagedShardsAreMadeAgain) {
  const TemporaryFolder folder, reference;
  make_dataset(reference.path(), kPlan);
  make_dataset(folder.path(), kPlan);
  EXPECT_TRUE(mend_dataset(folder.path()).empty());
  EXPECT_TRUE(dataset_done(folder.path()));
  flip_bit(folder.path() / "shard-000001.tar", 600);
  EXPECT_EQ(mend_dataset(folder.path()), std::vector<std::int64_t>{1});
  EXPECT_TRUE(shard_done(folder.path(), 0));
  EXPECT_FALSE(shard_done(folder.path(), 1));
  EXPECT_TRUE(shard_done(folder.path(), 2));
  make_dataset(folder.path(), kPlan);
  EXPECT_EQ(all_bytes(folder.path()), all_bytes(reference.path()));
}

TEST(Mend, LostIndexMeansMakingAllAgain) {
  const TemporaryFolder folder, reference;
  make_dataset(reference.path(), kPlan);
  make_dataset(folder.path(), kPlan);
  flip_bit(manifest_path(folder.path()), 100);
  mend_dataset(folder.path());
  EXPECT_FALSE(shard_done(folder.path(), 0));
  make_dataset(folder.path(), kPlan);
  EXPECT_EQ(all_bytes(folder.path()), all_bytes(reference.path()));
}

}  // namespace
}  // namespace sono
