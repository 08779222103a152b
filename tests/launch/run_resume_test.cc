// Stopped runs go on, and a mended data set is made whole.

#include <signal.h>

#include "core/atomic_file.h"
#include "core/hash.h"
#include "tests/launch/program.h"
#include "tests/launch/tiny_run.h"

namespace fs = std::filesystem;

namespace sono {
namespace {

using RunResume = TinyRun;

TEST_F(RunResume, ASignalStopsWithSeventyFiveAndTheNextRunFinishes) {
  expect_result(signal_program(run("out"), "stage tune-", SIGUSR1), 75,
                {"stopped"});
  EXPECT_FALSE(fs::exists(in("out/cases.csv")));
  expect_result(run("out"), 0, {", 2 found finished", "report: "});
  EXPECT_TRUE(fs::exists(in("out/cases.csv")));
  EXPECT_TRUE(fs::exists(in("out/report.html")));
}

TEST_F(RunResume, TheReportShowsTheQualityOfSyntheticImages) {
  const std::string arguments =
      run("out",
          "--set experiment.arms=phantom --set experiment.quality_images=3 "
          "--set data.test_limit=3");
  expect_result(arguments, 0, {"report: "});
  const std::string report = read_file(in("out/report.html"));
  EXPECT_NE(report.find("Synthetic images as images"), std::string::npos);
  EXPECT_NE(report.find("<td>lite-medsam</td>"), std::string::npos);
  EXPECT_NE(report.find("<td>texture</td>"), std::string::npos);
}

TEST_F(RunResume, TheWallClockStopsWithSeventyFive) {
  expect_result(run("out", "--wall-minutes 0.0001"), 75,
                {"run the same command again"});
}

// The one data set of the run in `out`.
fs::path dataset_in(const std::string& out) {
  for (const auto& entry : fs::directory_iterator(out + "/stages")) {
    if (fs::exists(entry.path() / "dataset")) return entry.path() / "dataset";
  }
  ADD_FAILURE() << "no data set in " << out;
  return "";
}

TEST_F(RunResume, OnlyTheMendedShardIsMadeAnew) {
  const std::string arguments = run("out", "--set experiment.arms=concat");
  expect_result(arguments, 0, {"report"});
  const std::string dataset = dataset_in(in("out")).string();
  const std::string bad = dataset + "/shard-000001.tar";
  const std::string good = dataset + "/shard-000000.tar";
  const std::string hash = sha256_file(bad);
  const std::string cases = sha256_file(in("out/cases.csv"));
  const auto good_time = fs::last_write_time(good);

  fs::resize_file(bad, 700);
  expect_result("verify " + in("out"), 3, {bad, "truncated", "verify --mend"});
  expect_result("verify --mend " + in("out"), 0,
                {bad, "removed", "marked unfinished", "run the same command"});
  EXPECT_FALSE(fs::exists(bad));
  expect_result(arguments, 0, {"stages: 1 done"});
  expect_result("verify " + in("out"), 0, {dataset + ": whole"});
  EXPECT_EQ(sha256_file(bad), hash);
  EXPECT_EQ(sha256_file(in("out/cases.csv")), cases);
  EXPECT_EQ(fs::last_write_time(good), good_time);
}

}  // namespace
}  // namespace sono
