// Training and test images by lists of names, as published ones come.

#include <gtest/gtest.h>

#include "core/atomic_file.h"
#include "core/error.h"
#include "experiments/leaks/leak_check.h"
#include "experiments/study.h"
#include "tests/core/expect_error.h"
#include "tests/data/shards/temporary_folder.h"

namespace sono {
namespace {

// Six images of three patients, without files.
StudyCohort cohort_of_six() {
  std::vector<CohortEntry> entries;
  for (int i = 0; i < 6; ++i) {
    CohortEntry entry;
    entry.info.id = "image" + std::to_string(i);
    entry.info.exam = entry.info.patient = "patient" + std::to_string(i / 2);
    entries.push_back(entry);
  }
  StudyCohort study;
  study.name = "es";
  study.cohort =
      std::make_unique<Cohort>("es", "pairs", entries, MaskPolicy::kAuto);
  return study;
}

class SplitLists : public ::testing::Test {
 protected:
  void SetUp() override {
    data_.cohorts = data_.train = {"es"};
    data_.train_lists["es"] = file("train", "image0.png\r\nimage3\n\n");
  }
  std::string file(const std::string& name, const std::string& text) {
    const auto path = folder_.path() / name;
    write_file_atomic(path, text);
    return path.string();
  }
  std::vector<StudyCohort> alone() {
    std::vector<StudyCohort> cohorts;
    cohorts.push_back(std::move(entry_));
    return cohorts;
  }
  TemporaryFolder folder_;
  Recipe recipe_;
  DataConfig& data_ = recipe_.data;
  StudyCohort entry_ = cohort_of_six();
};

TEST_F(SplitLists, OneListLeavesOtherPatientsToTheTest) {
  split_cohort(recipe_, entry_);
  EXPECT_EQ(entry_.train, (std::vector<std::size_t>{0, 3}));
  EXPECT_EQ(entry_.test, (std::vector<std::size_t>{4, 5}));
}

TEST_F(SplitLists, BothListsAreTakenAsTheyAre) {
  data_.test_lists["es"] = file("test", "image1\nimage5");
  split_cohort(recipe_, entry_);
  EXPECT_EQ(entry_.train, (std::vector<std::size_t>{0, 3}));
  EXPECT_EQ(entry_.test, (std::vector<std::size_t>{1, 5}));
}

TEST_F(SplitLists, AnImageOnBothSidesIsRefused) {
  data_.test_lists["es"] = file("test", "image3\nimage5");
  split_cohort(recipe_, entry_);
  EXPECT_ERROR(check_shared_heads(alone(), "warn"), DataError,
               "share image image3");
}

TEST_F(SplitLists, APatientOnBothSidesIsRefusedByName) {
  data_.test_lists["es"] = file("test", "image1\nimage5");
  split_cohort(recipe_, entry_);
  const auto cohorts = alone();
  EXPECT_ERROR(check_shared_heads(cohorts, "refuse"), DataError,
               "patient0 with es/image0 (training) and es/image1 (test)",
               "data.shared_patients");
  check_shared_heads(cohorts, "warn");
}

TEST_F(SplitLists, PatientsAreTheSameInEveryCohort) {
  split_cohort(recipe_, entry_);
  auto cohorts = alone();
  cohorts.push_back(cohort_of_six());
  cohorts[1].name = "af";
  cohorts[1].test = {4};  // whom nobody trains on
  check_shared_heads(cohorts, "refuse");
  cohorts[1].test = {2};
  EXPECT_ERROR(check_shared_heads(cohorts, "refuse"), DataError,
               "es/image3 (training) and af/image2 (test)");
}

TEST_F(SplitLists, AnUnknownNameIsRefused) {
  data_.train_lists["es"] = file("train", "image0\nimage9\n");
  EXPECT_ERROR(split_cohort(recipe_, entry_), DataError, "lacks 1", "image9");
}

TEST_F(SplitLists, ACohortThatIsNotTestedIsAllTrained) {
  data_.cohorts = {"es", "af"};
  data_.test = {"af"};
  data_.train_lists.clear();
  split_cohort(recipe_, entry_);
  EXPECT_EQ(entry_.train.size(), 6u);
  EXPECT_TRUE(entry_.test.empty());
}

TEST_F(SplitLists, ATaskWithoutScoresHoldsNothingOut) {
  data_.train_lists.clear();
  recipe_.experiment.task = "generate";
  split_cohort(recipe_, entry_);
  EXPECT_EQ(entry_.train.size(), 6u);
}

}  // namespace
}  // namespace sono
