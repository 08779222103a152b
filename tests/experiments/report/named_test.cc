#include <gtest/gtest.h>

#include "experiments/report/named_section.h"
#include "experiments/report/sentences.h"
#include "experiments/report/summary.h"
#include "tests/experiments/report/example_cases.h"

namespace sono {
namespace {

using nlohmann::json;

// `cohort` of 40 exams: concat is `gain` better than us-aug, give or take.
void add_cohort(std::vector<Case>& cases, const std::string& cohort,
                double gain) {
  for (const char* arm : {"us-aug", "concat"}) {
    for (Case row : example_arm(arm, 5, 0.85)) {
      row.cohort = cohort;
      const int exam = std::stoi(row.image.substr(6));
      if (row.arm == "concat") *row.dice += gain * (exam % 4 - 0.5);
      row.hc_error_pct = row.arm == "concat" ? 2 + exam % 3 : 5;
      cases.push_back(row);
    }
  }
}

SummaryOptions with_secondary() {
  SummaryOptions options;
  options.secondary = {{"spain", "frame"},
                       {"hc18", "frame", "hc_abs_error_pct"},
                       {"hc18", "detector"}};
  return options;
}

json summary_of_both() {
  std::vector<Case> cases;
  add_cohort(cases, "hc18", 0.02);
  add_cohort(cases, "spain", 0);
  append(cases, example_arm("joint", 5, 0.8));
  return summarize(cases, with_secondary());
}

TEST(Named, HolmCountsTheNamedSetAlone) {
  const json named = summary_of_both()["named"];
  ASSERT_EQ(named.size(), 4u);
  EXPECT_EQ(named[0]["role"], "endpoint");
  EXPECT_EQ(named[3]["status"], "missing");
  EXPECT_FALSE(named[3].contains("p_holm"));
  // The clearest of four p values is multiplied by four.
  EXPECT_NEAR(named[2]["p_holm"].get<double>(), 4 * named[2]["p"].get<double>(),
              1e-12);
  EXPECT_GE(named[0]["p_holm"], named[0]["p"]);
  EXPECT_EQ(named[1]["p_holm"], 1);
}

TEST(Named, LessErrorIsBetter) {
  const json error = summary_of_both()["named"][2];
  EXPECT_LT(error["difference"]["mean"], 0);
  EXPECT_EQ(error["verdict"], "better");
}

TEST(Named, TestsAreOfExamsNotOfImages) {
  std::vector<Case> cases, seeds;
  add_cohort(cases, "hc18", 0.02);
  for (Case row : cases) {
    if (row.train_seed != 0) continue;
    for (int seed = 0; seed < 6; ++seed) {
      row.train_seed = row.subset_seed = seed;
      seeds.push_back(row);
    }
  }
  const json few = summarize(cases)["endpoint"];
  const json many = summarize(seeds)["endpoint"];
  EXPECT_EQ(many["n_pairs"], 3 * few["n_pairs"].get<int>());
  EXPECT_EQ(many["tests"], few["tests"]) << "seeds do not add exams";
}

TEST(Named, AreNotRepeatedAmongTheExploratory) {
  for (const json& row : summary_of_both()["comparisons"]) {
    EXPECT_NE(row["treatment"], "concat") << row;
    EXPECT_FALSE(row.contains("p_holm"));
    EXPECT_TRUE(row.contains("p"));
  }
}

TEST(NamedSection, ShowsEveryNamedComparison) {
  const std::string section = render_named(summary_of_both());
  EXPECT_NE(section.find("absolute HC error"), section.npos);
  EXPECT_NE(section.find("spain"), section.npos);
  EXPECT_NE(section.find("not computed: no image was scored by both"),
            section.npos);
  EXPECT_EQ(render_named(summarize({})), "");
}

TEST(NamedSection, SaysWhatWasFoundInSentences) {
  const auto sentences = verdict_sentences(summary_of_both());
  EXPECT_NE(sentences[0].find("permutation test over exams p"),
            sentences[0].npos);
  EXPECT_TRUE(sentences[1].starts_with("Secondary, Dice on spain"));
  EXPECT_TRUE(sentences[3].ends_with("not computed."));
}

TEST(NamedSection, NeverShowsAPOfZero) {
  EXPECT_EQ(show_p(0), "<0.0001");
  EXPECT_EQ(show_p(0.00312), "0.0031");
  EXPECT_EQ(show_p(0.0469), "0.047");
  EXPECT_EQ(show_p(1), "1.000");
}

}  // namespace
}  // namespace sono
