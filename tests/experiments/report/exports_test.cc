// What stands beside the report for other programs: LaTeX, nnU-Net's
// summary.json, TensorBoard's events.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "experiments/report/latex_table.h"
#include "experiments/report/nnunet_summary.h"
#include "experiments/report/summary.h"
#include "experiments/report/tensorboard.h"
#include "tests/experiments/report/example_cases.h"

namespace sono {
namespace {

using nlohmann::json;

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Latex, HasATableAPanelAndEscapesNames) {
  std::vector<Case> cases = example_arm("us-aug", 5, 0.8);
  for (Case& row : cases) row.cohort = "a_b & 5 %";
  const std::string text = latex_tables(summarize(cases));
  EXPECT_TRUE(holds(text, "\\toprule"));
  EXPECT_TRUE(holds(text, "a\\_b \\& 5 \\%"));
  EXPECT_TRUE(holds(text, "us-aug & 5 & "));
  EXPECT_EQ(escape_latex("x^~\\{"),
            "x\\textasciicircum{}\\textasciitilde{}\\textbackslash{}\\{");
}

TEST(Nnunet, HasTheMeansOfItsCases) {
  std::vector<Case> cases = example_arm("us-aug", 5, 0.8, 4);
  cases[0].dice = 0.5;
  cases[1].hd95_mm.reset();
  const auto files = nnunet_summaries(cases);
  double sum = 0;
  std::size_t count = 0;
  for (const auto& [path, text] : files) {
    const json summary = json::parse(text);
    EXPECT_TRUE(path.ends_with("/summary.json")) << path;
    double own = 0;
    for (const json& one : summary["metric_per_case"]) {
      own += one["metrics"]["1"]["Dice"].get<double>();
      EXPECT_TRUE(one.contains("prediction_file"));
    }
    const std::size_t n = summary["metric_per_case"].size();
    EXPECT_NEAR(summary["mean"]["1"]["Dice"], own / n, 1e-12);
    EXPECT_EQ(summary["foreground_mean"], summary["mean"]["1"]);
    sum += own;
    count += n;
  }
  EXPECT_EQ(count, cases.size());
  double expected = 0;
  for (const Case& row : cases) expected += *row.dice;
  EXPECT_NEAR(sum, expected, 1e-9);
}

TEST(Nnunet, NoNameLeadsOutOfTheFolder) {
  std::vector<Case> cases = example_arm("us-aug", 5, 0.8, 1);
  for (Case& row : cases) row.cohort = "../../etc";
  for (const auto& [path, text] : nnunet_summaries(cases)) {
    EXPECT_FALSE(holds(path, "../")) << path;
  }
}

// The bytes that TensorBoard's own writer makes of the same scalars.
TEST(Tensorboard, FilesAreThoseOfItsOwnWriter) {
  const json fixture = json::parse(
      read_file(SONO_SOURCE_DIR "/tests/parity/fixtures/tensorboard.json"));
  std::vector<ScalarEvent> events;
  for (const json& s : fixture["scalars"]) {
    events.push_back({s[0], s[1], s[2], s[3]});
  }
  std::string hex;
  for (unsigned char byte : encode_events(events)) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  EXPECT_EQ(hex, fixture["file"].get<std::string>());
}

TEST(Tensorboard, TheChecksumIsCastagnolis) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
}

TEST(Tensorboard, ShowsStepsAndTheDiceOfTunings) {
  std::vector<Case> cases = example_arm("none", 5, 0.8, 2);
  for (Case& row : cases) {
    row.train_seed = 0;
    row.updates = 80;
  }
  const std::string log =
      "{\"event\":\"stage\",\"stage\":\"x\"}\n"
      "{\"event\":\"step\",\"label\":\"tune none-n5-s0\",\"loss\":0.5,"
      "\"step\":3,\"time\":12.5}\n"
      "{\"event\":\"step\",\"label\":\"tune no";
  const auto events = tensorboard_events(log, cases);
  ASSERT_EQ(events.size(), 1u);
  const auto& run = events.at("tune none-n5-s0");
  EXPECT_EQ(run[0].tag, "train/loss");
  EXPECT_EQ(run[0].step, 3);
  EXPECT_TRUE(run.back().tag.starts_with("dice/"));
  EXPECT_EQ(run.back().step, 80);
  EXPECT_NEAR(run.back().value, 0.8, 0.05);
}

}  // namespace
}  // namespace sono
