#include "launch/status/run_progress.h"

#include <gtest/gtest.h>

#include <chrono>

#include "core/atomic_file.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

class RunProgressTest : public ::testing::Test {
 protected:
  fs::path run() const { return folder_.path(); }
  fs::path stage(const std::string& name) const {
    const fs::path path = run() / "stages" / (name + "-0123456789ab");
    make_directories(path);
    return path;
  }
  void finish(const std::string& name) const {
    write_file_atomic(stage(name) / "stage.json", "{}");
  }
  void write(const fs::path& file, const std::string& text = "x") const {
    make_directories(file.parent_path());
    write_file_atomic(file, text);
  }
  StageProgress look(const std::string& name, Work work, std::int64_t items) {
    Plan plan;
    plan.cells = 10;
    PlannedStage planned;
    planned.name = name;
    planned.work = work;
    planned.items = items;
    plan.stages = {planned};
    StepHistory history(run() / "log.jsonl",
                        [](const std::string&) { return 8.0; });
    history.update();
    return look_at_stages(run(), Recipe(), plan, history).at(0);
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(RunProgressTest, AStageIsDoneOnceItsRecordStands) {
  EXPECT_FALSE(look("check-a", Work::kCheck, 5).finished);
  stage("check-a");
  finish("check-a-b");  // another one
  EXPECT_FALSE(look("check-a", Work::kCheck, 5).finished);
  finish("check-a");
  EXPECT_TRUE(look("check-a", Work::kCheck, 5).finished);
  EXPECT_EQ(look("check-a", Work::kCheck, 5).done, 5);
}

TEST_F(RunProgressTest, TrainingsCountSteps) {
  write(run() / "log.jsonl",
        R"({"event":"step","label":"tune none-n5-s0","step":3,"time":9,)"
        R"("samples_per_s":4})"
        "\n");
  const StageProgress found = look("tune-none-n5-s0", Work::kTune, 30);
  EXPECT_EQ(found.done, 3);
  EXPECT_EQ(found.total, 30);
  EXPECT_DOUBLE_EQ(found.seconds_each, 2);
}

TEST_F(RunProgressTest, DatasetsCountShardsOfAnyWorker) {
  const fs::path dataset = stage("generate-x") / "dataset";
  write(dataset / "plan.json");
  for (const char* name : {"shard-000000.json", "shard-000003.json",
                           "shard-000003.0a.tar", ".shard-000004.json.tmp"}) {
    write(dataset / name);
  }
  const auto begin = fs::last_write_time(dataset / "plan.json");
  fs::last_write_time(dataset / "shard-000000.json",
                      begin + std::chrono::seconds(63));
  fs::last_write_time(dataset / "shard-000003.json",
                      begin + std::chrono::seconds(64));
  const StageProgress found = look("generate-x", Work::kGenerate, 100);
  EXPECT_EQ(found.done, 32);
  EXPECT_NEAR(found.seconds_each, 2, 1e-6);  // 64 s for 2 shards of 16
  EXPECT_EQ(look("generate-x", Work::kGenerate, 20).done, 20);
}

TEST_F(RunProgressTest, EvaluationCountsCells) {
  for (const char* name : {"a.csv", "b.csv", "leases/c.lease"}) {
    write(run() / "evaluation" / name);
  }
  // Two workers that began when the last stage was done.
  finish("tune-a");
  const auto begin = fs::last_write_time(stage("tune-a") / "stage.json");
  for (const char* name : {"a.csv", "b.csv"}) {
    fs::last_write_time(run() / "evaluation" / name,
                        begin + std::chrono::seconds(30));
  }
  const StageProgress found = look("evaluation", Work::kEvaluate, 700);
  EXPECT_EQ(found.done, 2);
  EXPECT_NEAR(found.seconds_each, 15, 1e-6);
  EXPECT_EQ(found.total, 10);
  EXPECT_FALSE(found.finished);
}

TEST_F(RunProgressTest, TimeLeftNeedsARateOfEachKind) {
  StageProgress tune;
  tune.name = "tune-a";
  tune.work = Work::kTune;
  tune.done = 10;
  tune.total = 30;
  tune.unit = "step";
  tune.seconds_each = 2;
  StageProgress next = tune;
  next.done = 0;
  next.seconds_each = 0;  // as long as those of its kind
  EXPECT_DOUBLE_EQ(time_left({tune, next}).seconds.value(), 40 + 60);
  next.name = "generate-a";
  next.work = Work::kGenerate;
  EXPECT_FALSE(time_left({tune, next}).seconds);
  EXPECT_EQ(time_left({tune, next}).unknown, "generate-a");
  next.finished = true;
  EXPECT_DOUBLE_EQ(time_left({tune, next}).seconds.value(), 40);
}

TEST_F(RunProgressTest, TheMarkChangesWithWorkAndNothingElse) {
  std::string mark = progress_mark(run());
  const auto changed = [&] {
    const std::string before = mark;
    mark = progress_mark(run());
    return mark != before;
  };
  const fs::path tune = stage("tune-a");
  EXPECT_FALSE(changed()) << mark;
  write(tune / "checkpoints" / "step-00000002" / "model.safetensors");
  EXPECT_FALSE(changed()) << "half a checkpoint: " << mark;
  write(tune / "checkpoints" / "step-00000002" / "manifest.json");
  EXPECT_TRUE(changed()) << mark;
  write(tune / "checkpoints" / "step-00000004" / "manifest.json");
  EXPECT_TRUE(changed()) << mark;
  write(tune / "leases" / "0.lease");
  write(run() / "evaluation" / "leases" / "x.lease");
  write(run() / "evaluation" / ".a.csv.host.1.0.tmp");
  write(run() / "log.jsonl");
  EXPECT_FALSE(changed()) << mark;
  write(run() / "evaluation" / "a.csv");
  EXPECT_TRUE(changed()) << mark;
  write(run() / "cache" / "pack-host-0.bin", "more");
  EXPECT_TRUE(changed()) << mark;
  write(stage("generate-a") / "dataset" / "shard-000000.json");
  EXPECT_TRUE(changed()) << mark;
  finish("tune-a");
  EXPECT_TRUE(changed()) << mark;
  EXPECT_EQ(mark.find_first_of(" \n"), std::string::npos);
}

}  // namespace
}  // namespace sono
