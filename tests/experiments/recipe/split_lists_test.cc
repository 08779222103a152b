// Training and test images by lists of names, as published ones come.

#include <gtest/gtest.h>

#include "core/atomic_file.h"
#include "core/error.h"
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
  EXPECT_ERROR(split_cohort(recipe_, entry_), DataError, "share image image3");
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
