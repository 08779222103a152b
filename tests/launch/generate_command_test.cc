// `run --until` and `generate`: a run in parts, helped by workers, and data
// sets produced beside it.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "data/shards/reader.h"
#include "tests/launch/program.h"
#include "tests/launch/tiny_run.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

class GenerateCommand : public TinyRun {
 protected:
  static void TearDownTestSuite() {
    delete trained_;
    trained_ = nullptr;
    TinyRun::TearDownTestSuite();
  }
  std::string concat(const std::string& out, const std::string& more = "") {
    return run(out, "--set experiment.arms=concat " + more);
  }
  // A run whose generator is trained, as folder `out` of this test.
  void train(const std::string& out) {
    if (trained_ == nullptr) {
      trained_ = new TemporaryFolder;
      expect_result(concat("first", "--until generators"), 0,
                    {"the generators are trained"});
      fs::copy(in("first"), trained_->path() / "run",
               fs::copy_options::recursive);
    }
    fs::copy(trained_->path() / "run", in(out), fs::copy_options::recursive);
  }
  std::string produce(const std::string& out, const std::string& more) {
    return "generate " + in("run") + " --out " + in(out) + " " + more;
  }
  ShardReader open(const std::string& out) { return ShardReader(in(out)); }

 private:
  static TemporaryFolder* trained_;
};

TemporaryFolder* GenerateCommand::trained_ = nullptr;

std::string dataset_of(const fs::path& run) {
  for (const auto& stage : fs::directory_iterator(run / "stages")) {
    const fs::path dataset = stage.path() / "dataset";
    if (fs::exists(dataset)) return dataset;
  }
  return "no data set in " + run.string();
}

bool accepted(const ShardSample& sample) {
  return sample.provenance.at("gate").at("accepted").get<bool>();
}

TEST_F(GenerateCommand, ARunInPartsWithAWorkerEndsWithTheSameBytes) {
  train("parts");
  expect_result("generate --watch " + in("parts"), 0,
                {"2 shards made here", "complete"});
  expect_result(concat("parts", "--until datasets"), 0, {"concat-n2-s0: 4"});
  expect_result("generate " + in("parts"), 0, {"0 shards made here"});
  expect_result(concat("parts", "--until tuning"), 0, {"are tuned"});
  expect_result("evaluate " + in("parts"), 0, {"the run is complete"});
  expect_result(concat("parts", "--until evaluation"), 0, {"is scored"});
  EXPECT_FALSE(fs::exists(in("parts/report.html")));
  expect_result(concat("parts"), 0, {"report: "});

  expect_result(concat("whole"), 0, {"report: "});
  for (const char* file : {"cases.csv", "summary.json", "report.html"}) {
    EXPECT_EQ(read_file(in("parts/") + file), read_file(in("whole/") + file))
        << file;
  }
  EXPECT_EQ(ShardReader(dataset_of(in("parts"))).manifest().dataset_hash,
            ShardReader(dataset_of(in("whole"))).manifest().dataset_hash);
  expect_result(concat("whole", "--until nowhere"), 2, {"--until", "datasets"});
}

TEST_F(GenerateCommand, AWorkerWaitsForGeneratorsThatAreNotTrained) {
  train("run");
  for (const auto& stage : fs::directory_iterator(in("run/stages"))) {
    if (stage.path().filename().string().starts_with("adapt-")) {
      fs::remove(stage.path() / "stage.json");
    }
  }
  expect_result("generate --watch --idle 0.3 --poll 0.1 " + in("run"), 0,
                {"0 shards made here", "not complete",
                 "missing: concat-n2-s0: its generator is not trained yet"});
  expect_result(produce("set", "--count 4"), 3,
                {"concat-n2-s0", "not trained"});
}

TEST_F(GenerateCommand, AProductionDependsOnNothingButItsRequest) {
  train("run");
  const std::string size = "--seed 7 --samples-per-shard ";
  expect_result(produce("one", "--count 9 " + size + "4"), 0,
                {"3 of 3 shards made here", "9 pairs"});
  expect_result(produce("one", "--count 9 " + size + "4"), 0,
                {"0 of 3 shards made here"});
  expect_result(produce("two", "--count 9 " + size + "9"), 0, {"1 of 1"});
  expect_result(produce("three", "--count 5 " + size + "2"), 0, {"3 of 3"});
  expect_result(produce("four", "--count 5 --seed 8"), 0, {"1 of 1"});
  const ShardReader one = open("one"), two = open("two"), three = open("three");
  EXPECT_EQ(one.manifest().dataset_hash, two.manifest().dataset_hash);
  for (std::int64_t i = 0; i < three.size(); ++i) {
    EXPECT_EQ(sample_hash(three.read(i)), sample_hash(one.read(i))) << i;
  }
  EXPECT_NE(sample_hash(open("four").read(0)), sample_hash(one.read(0)));
}

// A gate that takes few pairs, so that most are tried again.
TEST_F(GenerateCommand, RejectedPairsAreReplacedTheSameWayByEveryWorker) {
  train("run");
  const std::string strict =
      "--count 9 --set gate.min_axis_ratio=0.75 --set "
      "gate.min_skull_significance=0 --set gate.min_skull=0 --set "
      "generate.tries=";
  expect_result(produce("once", strict + "1"), 0, {});
  expect_result(produce("often", strict + "20"), 0, {});
  expect_result(produce("again", strict + "20 --samples-per-shard 2"), 0, {});
  const ShardReader once = open("once"), often = open("often");
  int replaced = 0;
  for (std::int64_t i = 0; i < once.size(); ++i) {
    const ShardSample first = once.read(i), last = often.read(i);
    EXPECT_TRUE(accepted(last)) << last.provenance.dump();
    const bool kept = cv::norm(first.image, last.image, cv::NORM_INF) == 0;
    EXPECT_EQ(kept, accepted(first));
    EXPECT_EQ(kept, last.provenance.at("attempt") == 0);
    replaced += kept ? 0 : 1;
  }
  EXPECT_GT(replaced, 0);
  EXPECT_EQ(open("again").manifest().dataset_hash,
            often.manifest().dataset_hash);
}

TEST_F(GenerateCommand, CopiesOfTrainingImagesAreRefusedInTheStream) {
  train("run");
  expect_result(produce("set", "--count 3 --set generate.copies=refuse"), 2,
                {"no two held-out images", "data.test_limit"});
  expect_result(produce("set",
                        "--count 3 --set generate.copies=refuse --set "
                        "data.test_limit=0"),
                0, {"3 pairs"});
  const ShardReader set = open("set");
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const auto copy = set.read(i).provenance.at("copy");
    EXPECT_GT(copy.at("distance").get<double>(), 0);
    EXPECT_LT(copy.at("training_image").get<int>(), 2);
  }
}

TEST_F(GenerateCommand, WhatCannotBeIsRefusedWithTheRemedy) {
  train("run");
  expect_result("generate " + in("run") + " --count 4", 2,
                {"--count", "--out"});
  expect_result(produce("set", ""), 2, {"--count"});
  expect_result(produce("set", "--count 4 --generator joint-n2-s0"), 2,
                {"joint-n2-s0", "concat-n2-s0"});
  expect_result(produce("set", "--count 4 --set adapt.steps=9"), 3,
                {"not trained with these options"});
  expect_result("generate " + in("run") + " --set gate.min_skull=0.1", 2,
                {"do not agree"});
  expect_result("generate " + in("nowhere"), 2, {"nowhere", "config.ini"});
  expect_result(produce("set", "--count 4"), 0, {"4 pairs"});
  expect_result(produce("set", "--count 5"), 2, {"another data set"});
  expect_result(produce("full",
                        "--count 4 --set place.min_free_gb=1000000 --set "
                        "place.full_wait_minutes=0.01"),
                6, {"no room", "run the same command again"});
}

TEST_F(GenerateCommand, AWorkerOnAnotherKindOfMachineIsRefused) {
  train("run");
  auto record = nlohmann::json::parse(read_file(in("run/run.json")));
  record["machine"]["cpu_capability"] = "another";
  write_file_atomic(in("run/run.json"), record.dump());
  expect_result(produce("more", "--count 4"), 2,
                {"another", "start workers on that kind of machine"});
}

}  // namespace
}  // namespace sono
