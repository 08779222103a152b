#include "data/split.h"

#include <algorithm>
#include <set>
#include <string>

#include "tests/data/cohort/fixture.h"

namespace sono {
namespace {

// 30 exams; each third one has two images, each tenth three.
Cohort make_cohort(bool reversed = false) {
  std::vector<CohortEntry> entries;
  for (int exam = 0; exam < 30; ++exam) {
    const int images = exam % 10 == 0 ? 3 : exam % 3 == 0 ? 2 : 1;
    for (int i = 1; i <= images; ++i) {
      CohortEntry entry;
      entry.info.exam = std::to_string(100 + exam);
      entry.info.id = entry.info.exam + "_" + std::to_string(i) + "HC";
      entries.push_back(entry);
    }
  }
  if (reversed) std::reverse(entries.begin(), entries.end());
  return {"made", "hc18", entries, MaskPolicy::kAuto};
}

std::set<std::string> exams_of(const Cohort& cohort,
                               const std::vector<std::size_t>& indices) {
  std::set<std::string> exams;
  for (std::size_t i : indices) exams.insert(cohort.info(i).exam);
  return exams;
}

TEST(Split, NoExamOnBothSides) {
  const Cohort cohort = make_cohort();
  for (std::uint64_t seed : {0, 1, 2, 3}) {
    const Split split = split_by_exam(cohort, 1.0 / 3, seed);
    EXPECT_EQ(split.train.size() + split.test.size(), cohort.size());
    const auto train = exams_of(cohort, split.train);
    const auto test = exams_of(cohort, split.test);
    EXPECT_EQ(test.size(), 10u);
    EXPECT_EQ(train.size(), 20u);
    for (const std::string& exam : test) EXPECT_EQ(train.count(exam), 0u);
  }
}

TEST(Split, DependsOnTheSeedAndNotOnTheFileOrder) {
  const Split a = split_by_exam(make_cohort(), 0.3, 7);
  const Split b = split_by_exam(make_cohort(true), 0.3, 7);
  EXPECT_EQ(a.test, b.test);
  EXPECT_NE(a.test, split_by_exam(make_cohort(), 0.3, 8).test);
}

TEST(Split, APatientIsNotSplitEither) {
  std::vector<CohortEntry> entries(8);
  for (int i = 0; i < 8; ++i) {
    entries[i].info.id = "i" + std::to_string(i);
    entries[i].info.exam = "e" + std::to_string(i);
    entries[i].info.patient = "p" + std::to_string(i / 2);
  }
  const Cohort cohort("made", "pairs", entries, MaskPolicy::kAuto);
  const Split split = split_by_exam(cohort, 0.5, 3);
  ASSERT_EQ(split.test.size(), 4u);
  for (std::size_t i : split.test) {
    for (std::size_t j : split.train) {
      EXPECT_NE(cohort.info(i).patient, cohort.info(j).patient);
    }
  }
}

TEST(Split, SubsetsAreNestedAndPreferDistinctExams) {
  const Cohort cohort = make_cohort();
  const Split split = split_by_exam(cohort, 1.0 / 3, 1);
  const auto twenty = nested_subset(cohort, split.train, 20, 5);
  EXPECT_EQ(exams_of(cohort, twenty).size(), 20u);
  for (int count = 1; count < 20; ++count) {
    const auto few = nested_subset(cohort, split.train, count, 5);
    EXPECT_TRUE(std::equal(few.begin(), few.end(), twenty.begin()));
  }
  const auto all = nested_subset(cohort, split.train,
                                 static_cast<int>(split.train.size()), 5);
  EXPECT_EQ(std::set<std::size_t>(all.begin(), all.end()),
            std::set<std::size_t>(split.train.begin(), split.train.end()));
  EXPECT_NE(twenty, nested_subset(cohort, split.train, 20, 6));
}

TEST(Split, ImpossibleRequestsSayWhy) {
  const Cohort cohort = make_cohort();
  EXPECT_SAYS(message_of<ConfigError>([&] {
                nested_subset(cohort, {0, 1, 2}, 5, 0);
              }),
              "subset of 5 images of 3");
  EXPECT_THROW(nested_subset(cohort, {0, 1}, 0, 0), ConfigError);
  EXPECT_THROW(split_by_exam(cohort, 1.0, 0), ConfigError);
  EXPECT_THROW(split_by_exam(cohort, -0.1, 0), ConfigError);
  CohortEntry lone;
  lone.info.id = lone.info.exam = "1";
  const Cohort one("one", "folder", {lone}, MaskPolicy::kAuto);
  EXPECT_THROW(split_by_exam(one, 0.3, 0), DataError);
}

}  // namespace
}  // namespace sono
