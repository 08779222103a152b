// phantom, inspect and verify, end to end.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/safetensors_header.h"
#include "data/shards/writer.h"
#include "tests/launch/program.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

class PathCommands : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "sono.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string in(const std::string& name) const {
    return (folder_ / name).string();
  }

  fs::path folder_;
};

void write_dataset(const fs::path& folder) {
  DatasetPlan plan;
  plan.count = 3;
  plan.samples_per_shard = 2;
  plan.config_hash = "c0";
  open_dataset(folder, plan);
  for (std::int64_t shard = 0; shard < plan.num_shards(); ++shard) {
    std::vector<ShardSample> samples;
    for (std::int64_t i = 0; i < plan.samples_in(shard); ++i) {
      const std::int64_t sample = plan.first_sample(shard) + i;
      samples.push_back({sample_key(sample),
                         cv::Mat(8, 8, CV_8UC1, cv::Scalar(sample)),
                         cv::Mat(8, 8, CV_8UC1, cv::Scalar(255)),
                         {{"seed", sample}}});
    }
    commit_shard(folder, plan, shard, samples);
  }
  finalize_dataset(folder, plan);
}

TEST_F(PathCommands, DicomFilesAreAuditedAndDamagedOnesNamed) {
  const std::string all = "inspect " + in("us") + " --set data.frames=all";
  fs::create_directories(in("us"));
  fs::copy(SONO_SOURCE_DIR "/tests/parity/fixtures/clinical/implicit.dcm",
           in("us/whole.dcm"));
  expect_result(all, 0, {"layout dicom", "2 images"});
  expect_result("inspect " + in("us"), 3,
                {"whole.dcm", "2 frames", "data.frames"});
  write_file_atomic(in("us/cut.dcm"),
                    read_file(in("us/whole.dcm")).substr(0, 400));
  expect_result(all, 3, {"cut.dcm", "without pixel data"});
}

TEST_F(PathCommands, APhantomCohortIsMadeAndAudited) {
  const std::string make = "phantom --count 3 --out " + in("cohort") +
                           " --set phantom.width=200 --set phantom.height=136";
  expect_result(make, 0, {"3/3 images", in("cohort")});
  expect_result(make, 0, {"3/3 images"});
  expect_result("inspect " + in("cohort"), 0, {"cohort", "hc18", "200x136"});
  expect_result(make + " --seed 2", 2, {in("cohort")});
}

TEST_F(PathCommands, PhantomRefusesBadOptions) {
  expect_result("phantom", 2, {"--out DIR is missing"});
  expect_result("phantom --out x --count 0", 2, {"--count = 0 is outside"});
  expect_result("phantom --out x --annotation dots", 2, {"outline filled"});
  expect_result("phantom --out x --set phantom.stlye=curved", 2,
                {"'phantom.stlye'", "'phantom.style'"});
  EXPECT_FALSE(fs::exists("x"));
}

TEST_F(PathCommands, ADatasetIsInspectedAndVerified) {
  write_dataset(folder_ / "set");
  expect_result("inspect " + in("set"), 0, {"data set", "config_hash", "yes"});
  expect_result("verify " + in("set"), 0, {in("set") + ": whole"});
  expect_result("verify " + folder_.string(), 0, {in("set") + ": whole"});
}

TEST_F(PathCommands, ATruncatedShardIsNamed) {
  write_dataset(folder_ / "set");
  fs::resize_file(folder_ / "set" / "shard-000001.tar", 700);
  expect_result("verify " + in("set"), 3, {"shard-000001.tar"});
}

TEST_F(PathCommands, MendRemovesOnlyTheDamagedShard) {
  const fs::path set = folder_ / "set", record = folder_ / "stage.json";
  write_dataset(set);
  write_file_atomic(record, "{}");
  expect_result("verify --mend " + in("set"), 0, {in("set") + ": whole"});
  EXPECT_TRUE(fs::exists(record));

  fs::resize_file(set / "shard-000001.tar", 700);
  expect_result("verify --mend " + in("set") + "/", 0,
                {"shard-000001.tar", "(truncated); removed",
                 "marked unfinished", "run the same command"});
  EXPECT_TRUE(fs::exists(set / "shard-000000.tar"));
  EXPECT_FALSE(fs::exists(set / "shard-000001.tar"));
  EXPECT_FALSE(fs::exists(record));
  expect_result("verify " + in("set"), 3, {"manifest.json: missing"});
}

TEST_F(PathCommands, WeightsAreDescribed) {
  SafetensorsHeader header;
  header.entries = {{"w", "F32", {2, 3}}};
  assign_offsets(header.entries);
  write_file_atomic(folder_ / "w.safetensors",
                    serialize_header(header) + std::string(24, '\0'));
  expect_result("inspect " + in("w.safetensors"), 0,
                {"parameters", "6", "F32"});
  write_file_atomic(folder_ / "w.safetensors", std::string(20, '\xff'));
  expect_result("inspect " + in("w.safetensors"), 3, {"w.safetensors"});
}

TEST_F(PathCommands, ALoraSaysWhatEachLayerCounts) {
  const std::string fixtures = SONO_SOURCE_DIR "/tests/parity/fixtures/lora/";
  expect_result("inspect " + fixtures + "kohya/lora.safetensors", 0,
                {"LoRA as kohya writes it", "0.5        2      1",
                 "lora_unet_down_blocks_0_attentions_0_proj_in"});
  expect_result(
      "inspect " + fixtures + "diffusers/pytorch_lora_weights.safetensors", 0,
      {"LoRA as diffusers writes it", "0.666667   3      2"});
}

TEST_F(PathCommands, WhatIsNotThereEndsWithThree) {
  for (const std::string command : {"inspect ", "verify "}) {
    expect_result(command + in("none"), 3, {in("none"), "no such file"});
    write_file_atomic(folder_ / "x.txt", "x");
    expect_result(command + in("x.txt"), 3, {"x.txt"});
  }
  fs::create_directory(folder_ / "empty");
  expect_result("inspect " + in("empty"), 3, {"empty"});
  expect_result("verify " + in("empty"), 3, {"empty", "no data set"});
}

}  // namespace
}  // namespace sono
