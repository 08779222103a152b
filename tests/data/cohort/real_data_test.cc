// The public cuts of HC18 and the Spanish set, where they are present.

#include <cmath>
#include <cstdlib>
#include <set>

#include "data/cohort.h"
#include "data/cohort_audit.h"
#include "data/split.h"
#include "tests/data/cohort/fixture.h"

namespace sono {
namespace {

std::filesystem::path data_folder() {
  const char* place = std::getenv("SONO_DATA");
  if (place != nullptr) return place;
  return std::filesystem::path(SONO_SOURCE_DIR) / ".." / "shared" / "data";
}

#define SKIP_WITHOUT(folder)                                              \
  if (!std::filesystem::is_directory(data_folder() / folder)) {           \
    GTEST_SKIP() << "no " << data_folder() / folder << "; set SONO_DATA"; \
  }

TEST(RealData, Hc18CircumferencesAgreeWithTheCsv) {
  SKIP_WITHOUT("hc18");
  const Cohort cohort = open_cohort("hc18", data_folder() / "hc18");
  ASSERT_EQ(cohort.size(), 279u);
  double sum = 0, sum2 = 0, largest = 0;
  for (std::size_t i = 0; i < cohort.size(); ++i) {
    const Sample sample = cohort.load(i);
    check_circumference(sample);
    const double error = 100 * circumference_error(sample);
    sum += error;
    sum2 += error * error;
    largest = std::max(largest, std::abs(error));
  }
  const double mean = sum / 279;
  EXPECT_NEAR(mean, 0.64, 0.01);
  EXPECT_NEAR(std::sqrt(sum2 / 279 - mean * mean), 0.19, 0.01);
  EXPECT_NEAR(largest, 1.49, 0.02);
}

TEST(RealData, Hc18StrataAndSplit) {
  SKIP_WITHOUT("hc18");
  const Cohort cohort = open_cohort("hc18", data_folder() / "hc18");
  std::map<std::string, int> strata;
  std::map<int, int> trimesters;
  for (std::size_t i = 0; i < cohort.size(); ++i) {
    ++strata[stratum(cohort.info(i).hc_reference_mm)];
    ++trimesters[cohort.info(i).trimester];
  }
  EXPECT_EQ(strata["<97"], 99);
  EXPECT_EQ(strata["97-255"], 173);
  EXPECT_EQ(strata[">255"], 7);
  EXPECT_EQ(trimesters[1], 20);
  EXPECT_EQ(trimesters[2], 19);
  const Split split = split_by_exam(cohort, 1.0 / 3, 0);
  std::set<std::string> train;
  for (std::size_t i : split.train) train.insert(cohort.info(i).exam);
  for (std::size_t i : split.test) {
    EXPECT_EQ(train.count(cohort.info(i).exam), 0u);
  }
}

TEST(RealData, SpanishOutlinesLoadWithTwoOpen) {
  SKIP_WITHOUT("spain_head");
  const Cohort cohort = open_cohort("spain", data_folder() / "spain_head");
  const auto audit = audit_cohort(cohort);
  EXPECT_EQ(audit.at("images"), 17);
  EXPECT_EQ(audit.at("patients"), 15);
  EXPECT_EQ(audit.at("mask_kinds").at("closed outline"), 15);
  EXPECT_EQ(audit.at("mask_kinds").at("open outline"), 2);
  EXPECT_EQ(audit.at("problems").size(), 2u);
  for (std::size_t i = 0; i < cohort.size(); ++i) {
    const Sample sample = cohort.load(i);
    const double share = cv::countNonZero(sample.mask) /
                         static_cast<double>(sample.mask.total());
    EXPECT_GT(share, 0.2) << sample.id;
    EXPECT_LT(share, 0.7) << sample.id;
  }
  CohortConfig strict;
  strict.mask = "strict";
  const Cohort refused =
      open_cohort("spain", data_folder() / "spain_head", strict);
  EXPECT_SAYS(message_of<DataError>([&] { check_cohort(refused); }),
              "outline not closed");
}

TEST(RealData, PlaneFoldersLoad) {
  SKIP_WITHOUT("planes_spain");
  const Cohort spain = open_cohort("planes", data_folder() / "planes_spain");
  EXPECT_EQ(spain.size(), 100u);
  EXPECT_EQ(spain.entry(0).label, "abdomen");
  EXPECT_FALSE(spain.load(0).image.empty());
  const Cohort africa = open_cohort("africa", data_folder() / "planes_africa");
  EXPECT_EQ(africa.size(), 115u);
  EXPECT_EQ(africa.info(0).patient, "patient001");
}

}  // namespace
}  // namespace sono
