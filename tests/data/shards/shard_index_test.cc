#include "data/shards/shard_index.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/atomic_file.h"
#include "core/error.h"
#include "data/shards/reader.h"
#include "tests/data/shards/made_samples.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

ShardIndex made_index() {
  ShardIndex index;
  index.shard = 7;
  index.first_sample = 28;
  index.tar_size_bytes = 1 << 20;
  index.tar_sha256 = sha256("tar");
  for (int k = 0; k < 4; ++k) {
    SampleEntry sample;
    sample.hash = sha256(std::to_string(k));
    sample.image = {512 + 9000LL * k, 4000, 0xfedcba98u};
    sample.mask = {5000 + 9000LL * k, 300, 1};
    sample.provenance = {6000 + 9000LL * k, 20, 2};
    set_verdict(
        sample,
        k % 2 == 0
            ? nlohmann::json{{"seed", k}}
            : nlohmann::json{{"gate",
                              {{"accepted", false}, {"kind", "open outline"}}}},
        index);
    index.samples.push_back(sample);
  }
  return index;
}

TEST(ShardIndex, ComesBackAsWritten) {
  const ShardIndex index = made_index();
  const std::string bytes = serialize(index);
  EXPECT_EQ(bytes.size(), 5 * 88 + std::string("open outline\n").size());
  EXPECT_EQ(parse_index(bytes, "x"), index);
  EXPECT_EQ(index.accepted(), 2);
  EXPECT_EQ(index.rejected().at("open outline"), 2);
}

TEST(ShardIndex, EveryTruncationAndFlippedByteIsRefused) {
  const std::string bytes = serialize(made_index());
  for (std::size_t k = 0; k < bytes.size(); ++k) {
    EXPECT_THROW(parse_index(bytes.substr(0, k), "x"), DataError) << k;
    std::string bad = bytes;
    bad[k] = static_cast<char>(bad[k] ^ 4);
    EXPECT_THROW(parse_index(bad, "x"), DataError) << k;
  }
}

// A forged count with a right checksum must not be believed.
TEST(ShardIndex, ForgedCountsAreRefused) {
  for (const std::int64_t count : {-1LL, 5LL, 1LL << 40, 1LL << 62}) {
    std::string bytes = serialize(made_index());
    std::memcpy(&bytes[32], &count, 8);
    const std::uint32_t crc = crc32(&bytes[16], bytes.size() - 16);
    std::memcpy(&bytes[12], &crc, 4);
    EXPECT_THROW(parse_index(bytes, "x"), DataError) << count;
  }
}

TEST(AcceptedSamples, CountOnAcrossShards) {
  const TemporaryFolder folder;
  const DatasetPlan plan{
      .count = 23, .samples_per_shard = 5, .config_hash = "c"};
  std::vector<std::int64_t> expected;
  open_dataset(folder.path(), plan);
  for (std::int64_t shard = 0; shard < plan.num_shards(); ++shard) {
    auto samples = made_shard(plan, shard);
    for (std::size_t k = 0; k < samples.size(); ++k) {
      const std::int64_t number =
          plan.first_sample(shard) + static_cast<std::int64_t>(k);
      const bool accepted = shard != 1 && number % 3 != 0;  // none in shard 1
      samples[k].provenance["gate"] = {{"accepted", accepted},
                                       {"kind", accepted ? "" : "bad"}};
      if (accepted) expected.push_back(number);
    }
    commit_shard(folder.path(), plan, shard, samples);
  }
  const Manifest manifest = finalize_dataset(folder.path(), plan);
  EXPECT_EQ(manifest.accepted, static_cast<std::int64_t>(expected.size()));
  EXPECT_EQ(manifest.rejected.at("bad"), 23 - manifest.accepted);
  const ShardReader reader(folder.path(), 2);
  const AcceptedSamples accepted(reader);
  ASSERT_EQ(accepted.size(), manifest.accepted);
  for (std::int64_t k = 0; k < accepted.size(); ++k) {
    EXPECT_EQ(accepted.sample(reader, k),
              expected[static_cast<std::size_t>(k)]);
  }
  write_file_atomic(records_path(folder.path()),
                    read_file(records_path(folder.path())) + " ");
  EXPECT_THROW(AcceptedSamples{reader}, DataError);
}

// A set for tests/parity/export_readers, where SAMPLE_ROOT says so.
TEST(DatasetSample, Write) {
  const char* root = std::getenv("SAMPLE_ROOT");
  if (root == nullptr) GTEST_SKIP() << "SAMPLE_ROOT is not set";
  const DatasetPlan plan{
      .count = 10, .samples_per_shard = 4, .config_hash = "c"};
  open_dataset(root, plan);
  for (std::int64_t shard = 0; shard < plan.num_shards(); ++shard) {
    auto samples = made_shard(plan, shard);
    for (auto& sample : samples) {
      const bool accepted = std::stoi(sample.key) % 3 != 1;
      sample.provenance["gate"] = {{"accepted", accepted}, {"kind", "open"}};
    }
    commit_shard(root, plan, shard, samples);
  }
  finalize_dataset(root, plan);
}

}  // namespace
}  // namespace sono
