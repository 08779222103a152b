#include "experiments/report/summary.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "experiments/report/text_table.h"
#include "tests/experiments/report/example_cases.h"

namespace sono {
namespace {

using nlohmann::json;

std::vector<Case> study() {
  std::vector<Case> cases = example_arm("us-aug", 5, 0.85);
  append(cases, example_arm("concat", 5, 0.875));
  append(cases, example_arm("joint", 5, 0.84));
  return cases;
}

// The cell of an arm, which must be there.
json cell_of(const json& summary, const std::string& arm) {
  for (const json& cell : summary["cells"]) {
    if (cell["arm"] == arm) return cell;
  }
  ADD_FAILURE() << "no cell of " << arm;
  return {};
}

TEST(Summary, OfNoCasesHasNoCellsAndAMissingEndpoint) {
  const json summary = summarize({});
  EXPECT_TRUE(summary["cells"].empty());
  EXPECT_EQ(summary["endpoint"]["status"], "missing");
  EXPECT_NE(text_table(summary).find("No case has been scored"),
            std::string::npos);
}

TEST(Summary, CountsAndAveragesACell) {
  const json cell = cell_of(summarize(study()), "concat");
  EXPECT_EQ(cell["n_images"], 40);
  EXPECT_EQ(cell["n_exams"], 40);
  EXPECT_EQ(cell["n_seeds"], 2);
  EXPECT_EQ(cell["failures"], 0);
  EXPECT_NEAR(cell["metrics"]["dice"]["mean"], 0.8753, 1e-4);
  EXPECT_NEAR(cell["metrics"]["hc_error_pct"]["mean"], -1, 1e-12);
  EXPECT_NEAR(cell["metrics"]["hc_abs_error_pct"]["mean"], 3, 1e-12);
  EXPECT_FALSE(cell["metrics"].contains("hd95_mm"));
}

TEST(Summary, ComparesTheEndpointPaired) {
  const json endpoint = summarize(study())["endpoint"];
  EXPECT_EQ(endpoint["treatment"], "concat");
  EXPECT_EQ(endpoint["n_pairs"], 80);
  EXPECT_EQ(endpoint["n_unpaired"], 0);
  // Every pair differs by the same, so pairing leaves no spread at all.
  EXPECT_NEAR(endpoint["difference"]["mean"], 0.025, 1e-12);
  EXPECT_NEAR(endpoint["difference"]["interval"]["low"], 0.025, 1e-12);
  EXPECT_EQ(endpoint["verdict"], "better");
}

TEST(Summary, CallsTheOtherComparisonsExploratory) {
  const json comparisons = summarize(study())["comparisons"];
  ASSERT_EQ(comparisons.size(), 1u);
  EXPECT_EQ(comparisons[0]["role"], "exploratory");
  EXPECT_EQ(comparisons[0]["treatment"], "joint");
  EXPECT_EQ(comparisons[0]["verdict"], "worse");
}

TEST(Summary, AveragesDrawsBeforeAnyStatistic) {
  std::vector<Case> cases;
  for (int image = 0; image < 3; ++image) {
    for (int draw = 0; draw < 5; ++draw) {
      Case row = example_arm("none", 5, 0, 1, 1)[0];
      row.image = row.exam = std::to_string(image);
      row.draw = draw;
      row.dice = 0.1 * image + 0.01 * draw;
      cases.push_back(row);
    }
  }
  const json dice = cell_of(summarize(cases), "none")["metrics"]["dice"];
  EXPECT_EQ(dice["n"], 3);
  EXPECT_NEAR(dice["mean"], 0.12, 1e-12);
  EXPECT_NEAR(dice["sd"], 0.1, 1e-12);
}

TEST(Summary, CountsFailuresAndKeepsThemInTheMean) {
  std::vector<Case> cases = example_arm("none", 5, 0.8, 4, 1);
  cases[0].dice = 0;
  cases[0].status = "missed;no_spacing";
  const json cell = cell_of(summarize(cases), "none");
  EXPECT_EQ(cell["failures"], 1);
  EXPECT_EQ(cell["metrics"]["dice"]["n"], 4);
  EXPECT_LT(cell["metrics"]["dice"]["mean"], 0.61);
}

TEST(Summary, LeavesImagesWithoutReferenceOutOfTheMeans) {
  std::vector<Case> cases = example_arm("none", 5, 0.8, 4, 1);
  cases[0].dice.reset();
  cases[0].status = "no_reference";
  const json cell = cell_of(summarize(cases), "none");
  EXPECT_EQ(cell["n_images"], 4);
  EXPECT_EQ(cell["metrics"]["dice"]["n"], 3);
}

TEST(Summary, ClustersImagesOfOnePatient) {
  std::vector<Case> cases = example_arm("none", 5, 0.8, 6, 1);
  for (std::size_t i = 0; i < 3; ++i) cases[i].patient = "one patient";
  EXPECT_EQ(cell_of(summarize(cases), "none")["n_exams"], 4);
}

TEST(Summary, HasTheSameBytesForAnyOrderOfFiveThousandCases) {
  std::vector<Case> cases = example_arm("us-aug", 5, 0.85, 500, 5);
  append(cases, example_arm("concat", 5, 0.85, 500, 5));
  const std::string expected = format_summary(summarize(cases));
  std::ranges::reverse(cases);
  EXPECT_EQ(format_summary(summarize(cases)), expected);
  EXPECT_EQ(json::parse(expected)["cells"].size(), 2u);
}

TEST(TextTable, StaysWithin110ColumnsWhateverTheNames) {
  std::vector<Case> cases = study();
  append(cases, example_arm(std::string(200, 'x'), 1000000000000, 0.5));
  for (Case& row : cases) row.hd95_px = 1e9;
  const std::string table = text_table(summarize(cases));
  EXPECT_NE(table.find("concat"), std::string::npos);
  std::size_t begin = 0;
  while (begin < table.size()) {
    const std::size_t end = table.find('\n', begin);
    EXPECT_LE(end - begin, 110u) << table.substr(begin, end - begin);
    begin = end + 1;
  }
}

}  // namespace
}  // namespace sono
