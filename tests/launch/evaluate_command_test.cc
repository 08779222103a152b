// evaluate, report and export, end to end.

#include <signal.h>

#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "data/cohort.h"
#include "tests/launch/program.h"
#include "tests/launch/tiny_run.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

class EvaluateCommand : public TinyRun {
 protected:
  static void TearDownTestSuite() {
    delete finished_;
    finished_ = nullptr;
    TinyRun::TearDownTestSuite();
  }
  std::string two_draws(const std::string& out) const {
    return run(out, "--set experiment.draws=2");
  }
  // A run that is made once, as folder `out` of this test.
  void copy_finished_run(const std::string& out) {
    if (finished_ == nullptr) {
      finished_ = new TemporaryFolder;
      expect_result(two_draws("first"), 0, {"report: "});
      fs::copy(in("first"), finished_->path() / "run",
               fs::copy_options::recursive);
    }
    fs::copy(finished_->path() / "run", in(out), fs::copy_options::recursive);
  }

 private:
  static TemporaryFolder* finished_;
};

TemporaryFolder* EvaluateCommand::finished_ = nullptr;

TEST_F(EvaluateCommand, AWorkerAndAReportGiveTheRunsOwnBytes) {
  copy_finished_run("out");
  copy_finished_run("again");
  fs::remove_all(in("again/evaluation"));
  for (const char* file : {"cases.csv", "summary.json", "report.html"}) {
    fs::remove(in("again/") + file);
  }
  // Before any worker: the report says what is missing.
  expect_result("report " + in("again"), 0,
                {"missing: none-n2-s0, heads, gt-box, draw 1", "report: "});
  EXPECT_NE(read_file(in("again/report.html")).find("is not complete"),
            std::string::npos);
  expect_result("evaluate " + in("again"), 0, {"the run is complete"});
  expect_result("evaluate --watch " + in("again"), 0, {"0 cells"});
  expect_result("report " + in("again"), 0, {"report: "});
  for (const char* file : {"cases.csv", "summary.json", "report.html"}) {
    EXPECT_EQ(read_file(in("again/") + file), read_file(in("out/") + file))
        << file;
  }
}

TEST_F(EvaluateCommand, AWorkerScoresWhatIsTunedAndWaitsForTheRest) {
  copy_finished_run("out");
  for (const auto& stage : fs::directory_iterator(in("out/stages"))) {
    if (stage.path().filename().string().starts_with("tune-")) {
      fs::remove(stage.path() / "stage.json");
    }
  }
  fs::remove_all(in("out/evaluation"));
  expect_result("evaluate --watch --idle 0.5 --poll 0.1 " + in("out"), 0,
                {"not complete", "missing: none-n2-s0: not there yet"});
  // A worker that is stopped leaves the run alone.
  expect_result(
      signal_program("evaluate --watch " + in("out"), "test images", SIGTERM),
      75, {"stopped"});
  EXPECT_FALSE(fs::exists(in("out/stop-requested")));
  expect_result("report " + in("out"), 0,
                {"missing: none-n2-s0: not there yet", "zero-shot"});
  expect_result(two_draws("out"), 0, {"report: "});
  expect_result("report " + in("out"), 0, {"report: "});
}

TEST_F(EvaluateCommand, AFolderThatIsNoRunIsRefused) {
  expect_result("evaluate " + in("nowhere"), 2, {"nowhere", "config.ini"});
  copy_finished_run("out");
  expect_result("evaluate " + in("out") + " --set experiment.draws=7", 2,
                {"do not agree"});
  expect_result("evaluate --idle -1 " + in("out"), 2, {"--idle"});
}

TEST_F(EvaluateCommand, ACohortGoesToNnunetAndBack) {
  const std::string cohort = copy_cohort("cohort");
  expect_result("export " + cohort + " --test-fraction 0.5 --out " +
                    in("raw/Dataset501_Head"),
                0, {"4 cases"});
  const Cohort before = open_cohort("a", cohort);
  const Cohort after = open_cohort("b", in("raw/Dataset501_Head"));
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(after.info(i).id, before.info(i).id);
    EXPECT_EQ(after.info(i).spacing_x_mm, before.info(i).spacing_x_mm);
    EXPECT_EQ(cv::norm(after.load(i).image, before.load(i).image, cv::NORM_INF),
              0);
    EXPECT_EQ(cv::norm(after.load(i).mask, before.load(i).mask, cv::NORM_INF),
              0);
  }
  expect_result("inspect " + in("raw/Dataset501_Head/imagesTs"), 0, {"nnunet"});
  expect_result("export " + cohort + " --out " + in("x") + " --ending .bmp", 2,
                {"--ending"});
}

TEST_F(EvaluateCommand, AWorkerOnAnotherKindOfMachineIsRefused) {
  copy_finished_run("out");
  auto record = nlohmann::json::parse(read_file(in("out/run.json")));
  record["machine"]["cpu_model"] = "another";
  write_file_atomic(in("out/run.json"), record.dump());
  expect_result("evaluate " + in("out"), 2,
                {"another", "start workers on that kind of machine"});
}

}  // namespace
}  // namespace sono
