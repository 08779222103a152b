#include <gtest/gtest.h>

#include "experiments/report/dose_section.h"
#include "experiments/report/html_report.h"
#include "experiments/report/summary.h"
#include "tests/experiments/report/example_cases.h"

namespace sono {
namespace {

using nlohmann::json;

std::vector<Case> with_synthetic(std::int64_t count, std::int64_t n_real,
                                 double dice) {
  std::vector<Case> cases = example_arm("concat", n_real, dice);
  for (Case& row : cases) row.n_synthetic = count;
  return cases;
}

TEST(Dose, CrossesRealWithSyntheticImages) {
  std::vector<Case> cases, dose;
  for (int n_real : {5, 20}) {
    append(cases, example_arm("none", n_real, 0.7));
    append(cases, example_arm("us-aug", n_real, 0.75));
    append(cases, with_synthetic(97 + n_real % 3, n_real, 0.9));
    append(dose, with_synthetic(10, n_real, 0.8));
    append(dose, with_synthetic(50, n_real, 0.85));
  }
  const json rows = summarize_dose(cases, dose, {});
  ASSERT_EQ(rows.size(), 8u);  // none, 10, 50, all; twice
  for (const json& row : rows) {
    const json& count = row["n_synthetic"];
    const double expected = count.is_null() ? 0.9
                            : count == 0    ? 0.7
                            : count == 10   ? 0.8
                                            : 0.85;
    EXPECT_NEAR(row["dice"]["mean"], expected, 1e-3) << row;
    EXPECT_EQ(row["arm"] == "none", count == 0);
  }

  ReportInput input;
  input.title = "A study";
  input.summary = summarize(cases);
  EXPECT_EQ(render_dose(input.summary), "");
  input.summary["dose"] = rows;
  const std::string section = render_dose(input.summary);
  EXPECT_NE(section.find("<th>none</th><th>10</th><th>50</th>"
                         "<th>whole pool</th>"),
            section.npos);
  EXPECT_NE(section.find("concat on hc18, trained on hc18"), section.npos);
  EXPECT_NE(render_report(input).find(section), std::string::npos);
}

}  // namespace
}  // namespace sono
