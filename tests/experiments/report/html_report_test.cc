#include "experiments/report/html_report.h"

#include <gtest/gtest.h>

#include "experiments/report/sentences.h"
#include "experiments/report/summary.h"
#include "tests/experiments/report/example_cases.h"

namespace sono {
namespace {

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

nlohmann::json compare(double treatment, double control, int num_images = 40) {
  std::vector<Case> cases = example_arm("us-aug", 5, control, num_images);
  append(cases, example_arm("concat", 5, treatment, num_images));
  return summarize(cases);
}

ReportInput input_of(const nlohmann::json& summary) {
  ReportInput input;
  input.title = "A study";
  input.summary = summary;
  return input;
}

TEST(Sentences, SayOnWhichSideOfZeroTheIntervalLies) {
  EXPECT_TRUE(holds(verdict_sentences(compare(0.9, 0.8))[0], "above zero"));
  EXPECT_TRUE(holds(verdict_sentences(compare(0.8, 0.9))[0], "below zero"));
  EXPECT_TRUE(holds(verdict_sentences(compare(0.8, 0.8))[0], "null result"));
  EXPECT_TRUE(holds(verdict_sentences(compare(0.9, 0.8, 1))[0], "no interval"));
}

TEST(Sentences, SayWhatIsMissing) {
  const auto sentences = verdict_sentences(summarize({}));
  ASSERT_EQ(sentences.size(), 1u);
  EXPECT_TRUE(holds(sentences[0], "could not be computed"));
}

TEST(Report, OfNothingIsStillAPage) {
  const std::string page = render_report(input_of(summarize({})));
  EXPECT_TRUE(holds(page, "No case has been scored yet"));
  EXPECT_TRUE(page.ends_with("</html>\n"));
}

TEST(Report, EscapesAllText) {
  const std::string attack = "<script>alert('1')</script>&\"";
  std::vector<Case> cases = example_arm(attack, 5, 0.8);
  for (Case& row : cases) row.cohort = row.prompt = row.train_cohort = attack;
  ReportInput input = input_of(summarize(cases));
  input.title = attack;
  input.notices = {attack};
  input.pictures = {{attack, attack, {1, 2, 3}, attack}};
  input.provenance = {{attack, attack}};
  const std::string page = render_report(input);
  EXPECT_FALSE(holds(page, "<script>alert"));
  EXPECT_EQ(page.find("<script"), page.rfind("<script"));  // the page's own
  EXPECT_TRUE(holds(
      page, "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;"));
}

TEST(Report, LoadsNothingFromOutside) {
  ReportInput input = input_of(compare(0.9, 0.8));
  input.pictures = {{"Best", "Dice 98", {0, 1, 2, 3}}};
  const std::string page = render_report(input);
  EXPECT_FALSE(holds(page, "http"));
  EXPECT_FALSE(holds(page, "url("));
  EXPECT_TRUE(holds(page, "src=\"data:image/png;base64,AAECAw==\""));
}

TEST(Report, ShowsBothBlindBaselinesInEveryTable) {
  const std::string page = render_report(input_of(compare(0.9, 0.8)));
  const std::size_t table = page.find("<tbody>");
  EXPECT_NE(page.find("blind-ellipse", table), std::string::npos);
  EXPECT_NE(page.find("mean-mask", table), std::string::npos);
}

TEST(Report, ShowsNoticesPicturesAndProvenance) {
  ReportInput input = input_of(compare(0.9, 0.8));
  input.notices = {"This is a smoke test."};
  input.pictures = {{"One", "", {1}, "First group"}, {"Two", "", {1}, "Other"}};
  input.provenance = {{"seeds", {3, 4}}, {"weights", {{"sha256", "abc"}}}};
  const std::string page = render_report(input);
  EXPECT_TRUE(holds(page, "This is a smoke test."));
  EXPECT_LT(page.find("First group"), page.find("Other"));
  EXPECT_TRUE(holds(page, "<dt>weights/sha256</dt><dd>abc</dd>"));
  EXPECT_TRUE(holds(page, "<dt>seeds/1</dt><dd>4</dd>"));
}

TEST(Report, IsAFunctionOfItsInput) {
  const ReportInput input = input_of(compare(0.9, 0.8));
  EXPECT_EQ(render_report(input), render_report(input));
  EXPECT_NE(render_report(input), render_report(input_of(compare(0.9, 0.7))));
}

}  // namespace
}  // namespace sono
