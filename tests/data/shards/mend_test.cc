// Damage is named by verify_dataset, and mended by a rerun that redoes only it.

#include <gtest/gtest.h>

#include "core/error.h"
#include "data/shards/reader.h"
#include "tests/data/shards/dataset_files.h"
#include "tests/data/shards/made_samples.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

namespace fs = std::filesystem;
using Shards = std::vector<std::int64_t>;

const DatasetPlan kPlan{.count = 10,
                        .samples_per_shard = 4,
                        .config_hash = "cafe",
                        .weights_hash = "beef"};

class Mend : public testing::Test {
 protected:
  Mend() : whole_(made()) {}

  std::string made() const {
    make_dataset(folder_.path(), kPlan);
    return all_bytes(folder_.path());
  }
  fs::path in(const std::string& name) const { return folder_.path() / name; }
  void expect_named(const std::string& text) const {
    const std::string message = verify_message(folder_.path());
    EXPECT_NE(message.find(text), std::string::npos) << message;
  }
  // Mending leaves these shards to be made again; making them restores all.
  void expect_mended(const Shards& rebuilt, const Shards& removed) const {
    const MendReport report = mend_dataset(folder_.path());
    EXPECT_EQ(report.rebuilt, rebuilt);
    EXPECT_EQ(report.removed, removed);
    EXPECT_EQ(report.complete, removed.empty());
    EXPECT_EQ(missing_shards(folder_.path(), kPlan), removed);
    if (report.complete) {
      EXPECT_EQ(all_bytes(folder_.path()), whole_);
    }
    EXPECT_EQ(made(), whole_);
    verify_dataset(folder_.path());
  }

  const TemporaryFolder folder_;
  const std::string whole_;
};

TEST_F(Mend, AWholeSetIsLeftAlone) {
  const MendReport report = mend_dataset(folder_.path());
  EXPECT_TRUE(report.complete && report.problems.empty());
  EXPECT_EQ(all_bytes(folder_.path()), whole_);
}

TEST_F(Mend, ATruncatedShard) {
  fs::resize_file(in("shard-000000.tar"), 700);
  expect_named("shard-000000.tar: 700 bytes instead of");
  expect_mended({}, {0});
}

// Wherever the bit is, it is found, its shard is named and made again.
TEST_F(Mend, AnyFlippedBitOfAShard) {
  const auto size =
      static_cast<std::int64_t>(fs::file_size(in("shard-000001.tar")));
  for (std::int64_t at = 3; at < size; at += 977) {
    flip_bit(in("shard-000001.tar"), at);
    expect_named("shard-000001.tar: ");
    expect_mended({}, {1});
  }
}

TEST_F(Mend, AnyFlippedBitOfAnIndex) {
  const auto size =
      static_cast<std::int64_t>(fs::file_size(in("shard-000002.index")));
  for (std::int64_t at = 0; at < size; at += 19) {
    flip_bit(in("shard-000002.index"), at);
    expect_named("shard-000002.index: damaged");
    EXPECT_THROW(ShardReader(folder_.path()).read(9), DataError) << at;
    expect_mended({2}, {});
  }
}

TEST_F(Mend, AMissingIndexComesFromItsTar) {
  fs::remove(in("shard-000000.index"));
  expect_named("shard-000000.index: missing");
  try {
    ShardReader(folder_.path()).read(1);
    FAIL() << "read without an index";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("shard-000000.index: missing"),
              std::string::npos);
  }
  expect_mended({0}, {});
}

TEST_F(Mend, AMissingShardIndexAndTarAreMadeAgain) {
  fs::remove(in("shard-000000.index"));
  flip_bit(in("shard-000000.tar"), 600);
  fs::remove(in("shard-000002.tar"));
  expect_named("shard-000000.index: missing");
  expect_named("shard-000000.tar: damaged");
  expect_named("shard-000002.tar: missing");
  expect_mended({}, {0, 2});
}

TEST_F(Mend, LostManifestsCostNothing) {
  for (const char* name : {"manifest.json", "shards.jsonl", "plan.json"}) {
    flip_bit(in(name), 60);
    expect_named(std::string(name) + ": damaged");
    expect_mended({}, {});
    fs::remove(in(name));
    expect_named(std::string(name) + ": missing");
    expect_mended({}, {});
  }
}

// Nothing is left to hold an index against: its shard is made again.
TEST_F(Mend, AnIndexLostWithTheManifestIsMadeAgain) {
  fs::remove(in("manifest.json"));
  fs::remove(in("shard-000001.index"));
  expect_named("shard-000001.index: missing");
  expect_mended({}, {1});
}

TEST_F(Mend, AnUnfinishedSetStaysUnfinished) {
  const TemporaryFolder folder;
  open_dataset(folder.path(), kPlan);
  commit_shard(folder.path(), kPlan, 1, made_shard(kPlan, 1));
  const MendReport report = mend_dataset(folder.path());
  EXPECT_FALSE(report.complete);
  EXPECT_TRUE(report.removed.empty());
  EXPECT_EQ(missing_shards(folder.path(), kPlan), (Shards{0, 2}));
}

// As an older version left it: the manifest holds everything.
void make_format_1(const fs::path& folder) {
  const Manifest manifest = *read_manifest(folder);
  nlohmann::json plan = manifest.plan;
  plan["format"] = 1;
  nlohmann::json old = plan;
  old["dataset_hash"] = manifest.dataset_hash;
  RecordReader records(folder);
  while (const auto record = records.next()) {
    old["shards"].push_back({{"shard", record->shard},
                             {"sha256", record->tar_sha256},
                             {"samples", nlohmann::json::array()}});
    fs::remove(index_path(folder, record->shard));
  }
  fs::remove(records_path(folder));
  write_file_atomic(plan_path(folder), sealed(plan));
  write_file_atomic(manifest_path(folder), sealed(old));
}

TEST_F(Mend, FormatOneIsRefusedAndBroughtUpToDate) {
  make_format_1(folder_.path());
  EXPECT_THROW(open_dataset(folder_.path(), kPlan), DataError);
  expect_named("made by an older version; `sonoforge verify --mend");
  expect_mended({}, {});
  make_format_1(folder_.path());
  flip_bit(in("shard-000001.tar"), 600);
  expect_mended({}, {1});
}

}  // namespace
}  // namespace sono
