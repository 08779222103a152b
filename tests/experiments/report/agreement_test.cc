#include "experiments/report/agreement.h"

#include <gtest/gtest.h>

#include "core/random.h"
#include "experiments/report/agreement_section.h"
#include "experiments/report/html_report.h"
#include "experiments/report/summary.h"
#include "tests/experiments/report/example_cases.h"

namespace sono {
namespace {

using nlohmann::json;

// Heads whose circumference is measured `bias` mm off with a spread of 2 mm.
std::vector<Case> measured_arm(const std::string& arm, double bias,
                               int num_images = 40, int num_seeds = 2) {
  std::vector<Case> cases = example_arm(arm, 5, 0.9, num_images, num_seeds);
  Random random(make_key("test.agreement." + arm, 1));
  for (Case& row : cases) {
    row.status = "ok";
    row.stratum = row.image.back() % 2 == 0 ? "97-255" : "<97";
    row.hc_reference_mm = 90 + 10 * (row.image.back() - '0');
    row.hc_mm = *row.hc_reference_mm + bias + 2 * random.normal();
    row.hc_error_pct = 100 * (*row.hc_mm / *row.hc_reference_mm - 1);
    row.bpd_mm = row.bpd_reference_mm = 30;
    row.ofd_mm = 41;
    row.ofd_reference_mm = 40;
    row.hc_floor_pct = 0.64;
  }
  return cases;
}

json row_of(const json& rows, const std::string& measure,
            const std::string& unit, const std::string& stratum) {
  for (const json& row : rows) {
    if (row["measure"] == measure && row["unit"] == unit &&
        row["stratum"] == stratum) {
      return row;
    }
  }
  ADD_FAILURE() << "no row " << measure << " " << unit << " " << stratum;
  return {};
}

TEST(AgreementSummary, HasBiasAndLimitsOfEveryMeasure) {
  const json rows = summarize_agreement(measured_arm("concat", 3), {});
  EXPECT_EQ(rows.size(), 6u);  // four measures and two strata
  const json hc = row_of(rows, "hc", "mm", "");
  EXPECT_EQ(hc["n"], 80);
  EXPECT_EQ(hc["n_exams"], 40);
  EXPECT_NEAR(hc["bias"]["value"], 3, 0.7);
  EXPECT_NEAR(hc["upper"]["value"], 3 + 1.96 * 2, 1);
  EXPECT_LT(hc["upper"]["low"], hc["upper"]["value"]);
  EXPECT_GT(hc["upper"]["high"], hc["upper"]["value"]);
  EXPECT_EQ(row_of(rows, "bpd", "mm", "")["bias"]["value"], 0);
  EXPECT_EQ(row_of(rows, "ofd", "mm", "")["bias"]["value"], 1);
  EXPECT_EQ(row_of(rows, "hc", "mm", "<97")["n_exams"], 20);
  EXPECT_TRUE(hc["measured"].is_null());
}

TEST(AgreementSummary, KeepsFailuresAndShowsTheOthersBeside) {
  std::vector<Case> cases = measured_arm("concat", 0, 40, 1);
  cases[3].hc_mm = 0;
  cases[3].status = "missed";
  cases[9].hc_mm = 0;
  cases[9].status = "no_ellipse";
  const json hc = row_of(summarize_agreement(cases, {}), "hc", "mm", "");
  EXPECT_EQ(hc["failures"], 2);
  EXPECT_EQ(hc["n"], 40);
  EXPECT_EQ(hc["measured"]["n"], 38);
  EXPECT_LT(hc["lower"]["value"], -20);
  EXPECT_GT(hc["measured"]["lower"]["value"], -8);
}

TEST(AgreementSummary, WithoutPixelSizesIsEmpty) {
  EXPECT_TRUE(summarize_agreement(example_arm("concat", 5, 0.9), {}).empty());
  EXPECT_TRUE(summarize_floor(example_arm("concat", 5, 0.9), {}).empty());
}

TEST(AgreementSummary, HasTheReferencesOwnFloorOnceAnImage) {
  std::vector<Case> cases = measured_arm("concat", 3);
  append(cases, measured_arm("us-aug", 1));
  const json floor = summarize_floor(cases, {});
  EXPECT_EQ(floor["hc18"]["n"], 40);
  EXPECT_DOUBLE_EQ(floor["hc18"]["bias"]["value"], 0.64);
}

ReportInput report_of(const std::vector<Case>& cases) {
  ReportInput input;
  input.title = "A study";
  input.summary = summarize(cases);
  return input;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0, at = 0;
  while ((at = text.find(part, at)) != text.npos) ++found, at += part.size();
  return found;
}

TEST(AgreementSection, DrawsTheEndpointsArms) {
  std::vector<Case> cases = measured_arm("concat", 3);
  append(cases, measured_arm("us-aug", 1));
  append(cases, measured_arm("joint", 1));
  const json summary = summarize(cases);
  const std::string section = render_agreement(summary);
  EXPECT_EQ(count(section, "<figure>"), 2u);
  EXPECT_EQ(count(section, "<circle"), 80u) << "one dot an image, first seed";
  EXPECT_EQ(count(section, "reference mask"), 1u);
  EXPECT_NE(section.find("joint"), section.npos);
  EXPECT_NE(render_report(report_of(cases)).find(section), section.npos);
}

TEST(AgreementSection, CrossesOutHeadsWithoutEllipse) {
  std::vector<Case> cases = measured_arm("concat", 3, 40, 1);
  append(cases, measured_arm("us-aug", 1, 40, 1));
  cases[5].hc_mm = 0;
  cases[5].status = "missed";
  const std::string section = render_agreement(summarize(cases));
  EXPECT_EQ(count(section, "<circle"), 79u);
  EXPECT_EQ(count(section, "<path"), 1u);
  EXPECT_NE(section.find("1; without them"), section.npos);
}

TEST(AgreementSection, IsLeftOutWithoutMillimetres) {
  EXPECT_EQ(render_agreement(summarize(example_arm("concat", 5, 0.9))), "");
  EXPECT_EQ(render_agreement(summarize({})), "");
}

}  // namespace
}  // namespace sono
