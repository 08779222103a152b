#include <gtest/gtest.h>

#include "experiments/report/html_report.h"
#include "experiments/report/jitter_section.h"
#include "experiments/report/summary.h"
#include "tests/experiments/report/example_cases.h"

namespace sono {
namespace {

using nlohmann::json;

// Dice falls by one point for ten pixels of jitter.
std::vector<Case> jittered_arm(const std::string& arm, double dice) {
  std::vector<Case> cases;
  for (int jitter : {0, 10, 40}) {
    std::vector<Case> some = example_arm(arm, 5, dice - 0.001 * jitter);
    for (Case& row : some) {
      row.prompt = "gt-box";
      row.jitter_px = jitter;
    }
    append(cases, some);
  }
  return cases;
}

TEST(Jitter, IsSummedUpByArmAndJitter) {
  std::vector<Case> cases = jittered_arm("concat", 0.9);
  append(cases, jittered_arm("none", 0.8));
  const json rows = summarize_jitter(cases, {});
  ASSERT_EQ(rows.size(), 6u);
  for (const json& row : rows) {
    const double start = row["arm"] == "concat" ? 0.9 : 0.8;
    const double jitter = row["jitter_px"];
    EXPECT_NEAR(row["dice"]["mean"], start - 0.001 * jitter + 0.0003, 1e-4);
    EXPECT_EQ(row["dice"]["n"], 80);
  }
}

TEST(Jitter, IsDrawnWithADotForEach) {
  std::vector<Case> cases = example_arm("us-aug", 5, 0.8);
  append(cases, example_arm("concat", 5, 0.85));
  ReportInput input;
  input.title = "A study";
  input.summary = summarize(cases);
  EXPECT_EQ(render_jitter(input.summary), "");
  input.summary["jitter"] = summarize_jitter(jittered_arm("concat", 0.9), {});
  const std::string section = render_jitter(input.summary);
  std::size_t dots = 0, at = 0;
  while ((at = section.find("<circle", at)) != section.npos) ++dots, ++at;
  EXPECT_EQ(dots, 3u);
  EXPECT_NE(section.find("<th>40 px</th>"), section.npos);
  EXPECT_NE(render_report(input).find(section), std::string::npos);
}

}  // namespace
}  // namespace sono
