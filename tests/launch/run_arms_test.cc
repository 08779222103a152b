// Every arm and prompt through the whole loop, several training cohorts, the
// paper's protocol, and the plan that is printed before.

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/atomic_file.h"
#include "core/hash.h"
#include "experiments/report/cases.h"
#include "tests/launch/program.h"
#include "tests/launch/tiny_run.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

class RunArms : public TinyRun {
 protected:
  // Names of the stages that a run's log says were done, in order.
  std::vector<std::string> stages_done(const std::string& out) const {
    std::vector<std::string> names;
    std::ifstream log(in(out + "/log.jsonl"));
    for (std::string line; std::getline(log, line);) {
      const auto event = nlohmann::json::parse(line);
      if (event.at("event") == "stage") names.push_back(event.at("stage"));
    }
    return names;
  }
  std::vector<Case> cases(const std::string& out) const {
    return read_cases(in(out + "/cases.csv"));
  }
};

constexpr char kAllArms[] =
    "--set experiment.arms=none,weak,strong,us-aug,phantom,sdedit,concat,joint,"
    "real-100,oracle-res --set experiment.ceiling_images=2 "
    "--set experiment.n_real=1 --set experiment.augmented_variants=2 "
    "--set experiment.prompts=gt-box,frame,self,detector";

TEST_F(RunArms, EveryArmAnswersEveryPrompt) {
  expect_result(run("out", kAllArms), 0, {"report: "});
  std::map<std::string, std::set<std::string>> prompts;
  for (const Case& row : cases("out")) prompts[row.arm].insert(row.prompt);
  EXPECT_EQ(prompts.size(), 13u);  // and zero-shot, blind-ellipse, mean-mask
  for (const auto& [arm, answered] : prompts) {
    EXPECT_EQ(answered.size(),
              arm == "blind-ellipse"
                  ? 1u
                  : 3u + (arm != "zero-shot" && arm != "mean-mask"))
        << arm;
  }
}

// What the plan names is what a run does, and what it finds afterwards.
TEST_F(RunArms, ThePlanNamesTheStagesOfTheRun) {
  const std::string plan = run("out", std::string(kAllArms) + " --dry-run");
  expect_result(plan, 0,
                {"nothing is done", "tune-oracle-res-n1-s0", "detector-n2-s0",
                 "estimate: "});
  EXPECT_FALSE(fs::exists(in("out")));
  expect_result(run("out", kAllArms), 0, {"report: "});
  const auto before = stages_done("out");
  const ProgramResult after = run_program(plan);
  EXPECT_EQ(after.exit_code, 0);
  std::size_t finished = 0, place = 0;
  while ((place = after.output.find(" finished\n", place)) !=
         std::string::npos) {
    ++finished;
    ++place;
  }
  EXPECT_EQ(finished, before.size() + 1) << after.output;  // and evaluation
  for (const auto& name : before) {
    EXPECT_NE(after.output.find("  " + name + " "), std::string::npos) << name;
  }
  EXPECT_EQ(stages_done("out"), before);
}

TEST_F(RunArms, ThePlanListsWhatIsMissing) {
  expect_result("run " + in("tiny.ini") +
                    " --dry-run --set place.weights=" + in("none.pth"),
                0, {"--set data.heads=FOLDER", "none.pth"});
  expect_result("run " + in("tiny.ini"), 2, {"--set data.heads=FOLDER"});
}

TEST_F(RunArms, AnotherSegmenterThanAskedForIsRefused) {
  expect_result(run("out", "--set experiment.segmenter=vit_b"), 2,
                {"weights are those of lite_medsam"});
  expect_result(
      "run " + in("tiny.ini") + " --dry-run --set experiment.segmenter=vit_b",
      0, {"the recipe wants SAM vit_b"});
}

TEST_F(RunArms, EachCohortTrainsItsOwnRuns) {
  const std::string other = copy_cohort("other");
  expect_result(run("out",
                    "--set data.cohorts=heads,other --set "
                    "data.train=heads,other --set data.test=other --set "
                    "experiment.prompts=gt-box,detector --set "
                    "data.other=" +
                        other),
                0, {"report: "});
  std::set<std::string> trained;
  for (const Case& row : cases("out")) {
    EXPECT_EQ(row.cohort, "other");
    if (row.arm == "none") trained.insert(row.train_cohort);
  }
  EXPECT_EQ(trained, (std::set<std::string>{"heads", "other"}));
  const auto done = stages_done("out");
  for (const char* name : {"tune-none-heads-n2-s0", "tune-none-other-n2-s0",
                           "detector-other-n2-s0"}) {
    EXPECT_NE(std::find(done.begin(), done.end(), name), done.end()) << name;
  }
}

TEST_F(RunArms, CurvesStandBesideTheTables) {
  expect_result(run("out",
                    "--set experiment.arms=none,phantom --set "
                    "experiment.prompts=gt-box,frame --set "
                    "experiment.jitter_curve=0,30 --set "
                    "experiment.synthetic_counts=1,2"),
                0, {"report: "});
  for (const Case& row : cases("out")) {
    EXPECT_EQ(row.jitter_px, row.prompt == "gt-box" ? 19 : 0);
    EXPECT_TRUE(row.arm != "phantom" || row.n_synthetic == 4);
  }
  std::set<double> jitters;
  for (const Case& row : read_cases(in("out/jitter.csv"))) {
    EXPECT_EQ(row.prompt, "gt-box");
    jitters.insert(*row.jitter_px);
  }
  EXPECT_EQ(jitters, (std::set<double>{0, 30}));
  std::set<std::int64_t> counts;
  for (const Case& row : read_cases(in("out/dose.csv"))) {
    EXPECT_EQ(row.arm, "phantom");
    counts.insert(*row.n_synthetic);
  }
  EXPECT_EQ(counts, (std::set<std::int64_t>{1, 2}));
  const std::string page = read_file(in("out/report.html"));
  EXPECT_NE(page.find("against the jitter of the box"), page.npos);
  EXPECT_NE(page.find("<h2>Dice by real and synthetic images"), page.npos);
}

TEST_F(RunArms, ATestImageThatWasTrainedOnIsNamed) {
  const std::string other = copy_cohort("other");
  expect_result(run("out",
                    "--set data.cohorts=heads,other --set data.train=heads "
                    "--set data.test=other --set experiment.n_real=4 --set "
                    "data.other=" +
                        other),
                0, {"nearly the same image", "other/"});
  const std::string page = read_file(in("out/report.html"));
  EXPECT_NE(page.find("are nearly the same image"), page.npos);
}

TEST_F(RunArms, TheirProtocolCountsEpochs) {
  expect_result(
      run("out",
          "--set experiment.protocol=wang --set experiment.arms=none,phantom "
          "--set segment.epochs=2 --set segment.batch_size=2 --set "
          "segment.lanes=2"),
      0, {"report: "});
  for (const Case& row : cases("out")) {
    if (row.arm == "none") {
      EXPECT_EQ(row.updates, 2);
    }
    if (row.arm == "phantom") {
      EXPECT_EQ(row.updates, 6);  // 2 + 4 images in batches of 2, twice
    }
    if (row.n_real && row.arm != "mean-mask") {
      EXPECT_EQ(row.train_prompt, "gt-box");
    }
  }
  const std::string config = read_file(in("out/config.ini"));
  EXPECT_NE(config.find("frame = squash"), std::string::npos);
  EXPECT_NE(config.find("epochs = 2"), std::string::npos);
}

TEST_F(RunArms, GeneratorImagesAreSharedByAllN) {
  expect_result(run("out",
                    "--set experiment.arms=joint --set "
                    "experiment.n_real=1,2 --set "
                    "experiment.generator_images=2"),
                0, {"report: "});
  const auto done = stages_done("out");
  EXPECT_EQ(std::count_if(done.begin(), done.end(),
                          [](const std::string& name) {
                            return name.starts_with("adapt-") ||
                                   name.starts_with("generate-");
                          }),
            2);
}

}  // namespace
}  // namespace sono
