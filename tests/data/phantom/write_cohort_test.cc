#include "data/phantom/write_cohort.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "core/atomic_file.h"
#include "core/error.h"
#include "data/cohort.h"
#include "data/image_file.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

class WriteCohort : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() /
           ("sono_phantom_" + std::to_string(getpid()));
    fs::remove_all(dir_);
    cohort_.count = 8;
    cohort_.phantom.width = 400;
    cohort_.phantom.height = 270;
  }
  void TearDown() override { fs::remove_all(dir_); }

  fs::path dir_;
  PhantomCohort cohort_;
};

TEST_F(WriteCohort, HasHc18Layout) {
  write_phantom_cohort(cohort_, dir_);
  const std::string sizes =
      read_file(dir_ / "training_set_pixel_size_and_HC.csv");
  EXPECT_EQ(sizes.find("filename,pixel size(mm),head circumference (mm)\r\n"),
            0U);
  EXPECT_EQ(std::count(sizes.begin(), sizes.end(), '\n'), 9);
  EXPECT_NE(sizes.find("\n005_2HC.png,"), std::string::npos);
  const Cohort read = open_cohort("phantom", dir_, CohortConfig{});
  ASSERT_EQ(read.size(), 8U);
  EXPECT_EQ(read.layout(), "hc18");
  EXPECT_TRUE(read.has_masks());
  for (std::size_t i = 0; i < read.size(); ++i) {
    const Sample sample = read.load(i);
    EXPECT_GT(sample.trimester, 0);
    const auto fitted = fit_ellipse(sample.mask);
    ASSERT_TRUE(fitted);
    const double hc = circumference(*fitted) * sample.spacing_x_mm;
    EXPECT_NEAR(hc / sample.hc_reference_mm, 1, 0.01) << sample.id;
  }
}

TEST_F(WriteCohort, OutlineAndFilledGiveTheSameMask) {
  write_phantom_images(cohort_, dir_ / "outline", 0, 1);
  cohort_.annotation = AnnotationKind::kFilled;
  write_phantom_images(cohort_, dir_ / "filled", 0, 1);
  const cv::Mat filled =
      read_image(dir_ / "filled/training_set/000_HC_Annotation.png");
  const cv::Mat outline =
      read_image(dir_ / "outline/training_set/000_HC_Annotation.png");
  EXPECT_LT(cv::countNonZero(outline), 0.2 * cv::countNonZero(filled));
  EXPECT_EQ(
      cv::norm(make_phantom(cohort_.phantom, 0).mask, filled, cv::NORM_INF), 0);
}

TEST_F(WriteCohort, RangesAndRestartsGiveTheSameBytes) {
  write_phantom_cohort(cohort_, dir_ / "whole");
  write_phantom_images(cohort_, dir_ / "parts", 5, 8);
  EXPECT_THROW(write_phantom_tables(cohort_, dir_ / "parts"), DataError);
  write_phantom_images(cohort_, dir_ / "parts", 0, 5);
  fs::remove(dir_ / "parts/training_set/002_HC.png");
  write_phantom_cohort(cohort_, dir_ / "parts");
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(dir_ / "whole")) {
    if (!entry.is_regular_file()) continue;
    const fs::path name = fs::relative(entry.path(), dir_ / "whole");
    EXPECT_EQ(read_file(entry.path()), read_file(dir_ / "parts" / name))
        << name;
    ++files;
  }
  EXPECT_EQ(files, 2 * 8 + 3);
}

TEST_F(WriteCohort, RefusesAFolderOfAnotherConfigAndBadRanges) {
  write_phantom_images(cohort_, dir_, 0, 1);
  EXPECT_THROW(write_phantom_images(cohort_, dir_, 0, 9), ConfigError);
  cohort_.phantom.seed = 77;
  EXPECT_THROW(write_phantom_images(cohort_, dir_, 0, 1), ConfigError);
}

}  // namespace
}  // namespace sono
