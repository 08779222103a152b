// data/formats/nifti; the stacks are written by the library itself.

#include "data/formats/nifti.h"

#include <nifti2_io.h>

#include <fstream>

#include "data/cohort.h"
#include "tests/core/expect_error.h"
#include "tests/data/cohort/fixture.h"

namespace sono {
namespace {

class NiftiTest : public FolderTest {
 protected:
  // A stack of 5 x 4 px whose numbers count up, with pixels of 0.2 x 0.3.
  template <class T>
  std::filesystem::path write_stack(const std::string& name, int datatype,
                                    int slices, int units = NIFTI_UNITS_MM) {
    const auto path = dir_ / name;
    const std::int64_t dims[8] = {3, 5, 4, slices, 1, 1, 1, 1};
    nifti_image* image = nifti_make_new_nim(dims, datatype, 1);
    for (std::int64_t i = 0; i < image->nvox; ++i) {
      static_cast<T*>(image->data)[i] = static_cast<T>(i);
    }
    image->dx = image->pixdim[1] = 0.2;
    image->dy = image->pixdim[2] = 0.3;
    image->xyz_units = units;
    nifti_set_filenames(image, path.c_str(), 0, 1);
    nifti_image_write(image);
    nifti_image_free(image);
    return path;
  }
};

TEST_F(NiftiTest, WhatIsWrittenIsReadBack) {
  const cv::Mat image = test_picture(1);
  for (const char* name : {"a.nii", "a.nii.gz"}) {
    write_nifti(dir_ / name, image, 0.25, 0.5);
    const NiftiFacts facts = nifti_facts(dir_ / name);
    EXPECT_EQ(facts.size, test_size());
    EXPECT_EQ(facts.slices, 1);
    EXPECT_FLOAT_EQ(facts.spacing_x_mm, 0.25);
    EXPECT_FLOAT_EQ(facts.spacing_y_mm, 0.5);
    EXPECT_EQ(cv::norm(read_nifti(dir_ / name, 0), image, cv::NORM_INF), 0);
  }
  write_nifti(dir_ / "b.nii.gz", image, 0, 0);
  EXPECT_EQ(nifti_facts(dir_ / "b.nii.gz").spacing_x_mm, 0);
}

TEST_F(NiftiTest, SlicesOfTheLibrarysFilesAreRead) {
  const auto path = write_stack<std::uint8_t>("s.nii.gz", DT_UINT8, 3);
  const NiftiFacts facts = nifti_facts(path);
  EXPECT_EQ(facts.slices, 3);
  EXPECT_FLOAT_EQ(facts.spacing_x_mm, 0.2);
  EXPECT_FLOAT_EQ(facts.spacing_y_mm, 0.3);
  const cv::Mat slice = read_nifti(path, 2);
  EXPECT_EQ(slice.at<std::uint8_t>(0, 0), 40);
  EXPECT_EQ(slice.at<std::uint8_t>(0, 1), 41);  // along a row
  EXPECT_EQ(slice.at<std::uint8_t>(1, 0), 45);
}

TEST_F(NiftiTest, UnitsAreConverted) {
  const auto path =
      write_stack<std::uint8_t>("s.nii", DT_UINT8, 1, NIFTI_UNITS_MICRON);
  EXPECT_NEAR(nifti_facts(path).spacing_x_mm, 2e-4, 1e-9);
}

TEST_F(NiftiTest, OtherNumbersAreStretchedOverTheFile) {
  const auto path = write_stack<std::int16_t>("s.nii", DT_INT16, 2);
  EXPECT_EQ(read_nifti(path, 0).at<std::uint8_t>(0, 0), 0);
  EXPECT_EQ(read_nifti(path, 1).at<std::uint8_t>(3, 4), 255);
  EXPECT_EQ(read_nifti_labels(path, 1).at<std::uint8_t>(0, 0), 20);
}

TEST_F(NiftiTest, ComplexPixelsAndBrokenLabelsAreRefused) {
  const auto path = write_stack<float>("s.nii", DT_FLOAT32, 20);
  EXPECT_ERROR(read_nifti_labels(path, 19), DataError, "s.nii", "0..255");
  const auto other = write_stack<float>("c.nii", DT_COMPLEX64, 1);
  EXPECT_ERROR(read_nifti(other, 0), DataError, "c.nii", "COMPLEX64");
}

TEST_F(NiftiTest, EveryTruncationIsRefused) {
  for (const char* name : {"a.nii", "a.nii.gz"}) {
    write_nifti(dir_ / name, test_picture(0)(cv::Rect(0, 0, 20, 10)), 1, 2);
    std::ifstream file(dir_ / name, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    const auto cut = dir_ / (std::string("cut") + name);
    for (std::size_t size = 0; size + 12 < bytes.size(); size += 5) {
      write_text(cut, bytes.substr(0, size));
      EXPECT_ERROR(read_nifti(cut, 0), DataError, "cuta.nii");
    }
  }
}

TEST_F(NiftiTest, AForgedSizeIsRefused) {
  write_nifti(dir_ / "a.nii", test_picture(0), 1, 1);
  std::fstream file(dir_ / "a.nii",
                    std::ios::binary | std::ios::in | std::ios::out);
  const std::int16_t dims[3] = {30000, 6000, 30000};
  file.seekp(42);  // dim[1..3]
  file.write(reinterpret_cast<const char*>(dims), sizeof(dims));
  file.close();
  EXPECT_ERROR(nifti_facts(dir_ / "a.nii"), DataError, "a.nii", "forged");
}

TEST_F(NiftiTest, PairsOfStacksAreACohort) {
  std::filesystem::create_directories(dir_ / "image");
  std::filesystem::create_directories(dir_ / "mask");
  write_stack<std::uint8_t>("image/s.nii.gz", DT_UINT8, 2);
  write_stack<std::uint8_t>("mask/s.nii.gz", DT_UINT8, 2);
  CohortConfig config;
  config.frames = "all";
  const Cohort cohort = open_cohort("n", dir_, config);
  EXPECT_EQ(cohort.layout(), "pairs");
  ASSERT_EQ(cohort.size(), 2u);
  EXPECT_EQ(cohort.info(1).id, "s-f0001");
  EXPECT_EQ(cohort.info(1).exam, cohort.info(0).exam);
  EXPECT_EQ(cohort.load(1).image.at<std::uint8_t>(0, 0), 20);
}

}  // namespace
}  // namespace sono
