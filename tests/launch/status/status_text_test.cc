#include "launch/status/status_text.h"

#include <gtest/gtest.h>

#include "core/atomic_file.h"
#include "tests/data/shards/temporary_folder.h"
#include "tests/launch/program.h"

namespace sono {
namespace {

TEST(StatusText, ReadsAsPeopleWouldSayIt) {
  RunStatus status;
  status.run = "/scratch/run";
  StageProgress stage;
  stage.name = "tune-a";
  stage.work = Work::kTune;
  stage.begun = true;
  stage.done = 10;
  stage.total = 40;
  stage.unit = "step";
  stage.seconds_each = 2;
  status.stages = {stage};
  stage.finished = true;
  stage.name = "check-a";
  status.stages.push_back(stage);
  status.goodput = {10, 2, 20, 25};
  const std::string text = status_text(status);
  for (const char* line :
       {"/scratch/run\n", "stages: 1 of 2 done\n",
        "  tune-a   10/40 steps, 2 s each, ETA 1 min 00 s\n",
        "  check-a  done\n", "jobs: none were submitted\n",
        "goodput: 80.0 %: 10 useful steps took 20 s of 25 s; 2 steps done "
        "again, 0 restarts\n",
        "left: 1 min 00 s of work, waiting for nodes not counted\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
}

TEST(StatusCommand, ShowsASubmittedRunAndRefusesOthers) {
  const TemporaryFolder folder;
  const std::string run = (folder.path() / "run").string();
  expect_result("status " + run, 2, {run, "config.ini"});
  expect_result("submit " SONO_SOURCE_DIR
                "/experiments/quickstart.ini --dry-run --out " +
                    run,
                0, {});
  expect_result("status " + run, 0,
                {"stages: 0 of", "pretrain-concat", "to come",
                 "none were submitted", "no step yet", "not known until"});
  expect_result("status --mark " + run, 0, {"stages=0,steps=0,files=0"});
}

}  // namespace
}  // namespace sono
