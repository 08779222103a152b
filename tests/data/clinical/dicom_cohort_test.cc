// Cohorts of DICOM files: frames, masks, regions, and what is kept of patients.

#include <dcmtk/config/osconfig.h>
// osconfig.h has to come first.
#include <dcmtk/dcmdata/dctk.h>

#include "data/cohort.h"
#include "data/formats/nifti.h"
#include "tests/core/expect_error.h"
#include "tests/data/clinical/dicom_files.h"
#include "tests/data/cohort/fixture.h"

namespace sono {
namespace {

class DicomCohort : public FolderTest {
 protected:
  // A head of 300 x 200 px in each frame, calibrated to 0.1 mm.
  TestDicom scan(int frames = 1) {
    TestDicom dicom;
    dicom.width = test_size().width;
    dicom.height = test_size().height;
    dicom.frames = frames;
    for (int frame = 0; frame < frames; ++frame) {
      const cv::Mat image = test_picture(frame);
      dicom.pixels.insert(dicom.pixels.end(), image.data,
                          image.data + image.total());
    }
    dicom.patient_id = "HOSP-4711";
    dicom.patient_name = "Doe^Jane";
    dicom.study_uid = "1.2.3.4";
    dicom.burned_in = "";
    dicom.change = [](DcmDataset& dataset) {
      add_region(dataset, {10, 20, 289, 189, 0.01, 0.01});
    };
    return dicom;
  }
  cv::Mat head() const { return render_filled(test_head(), test_size()); }
};

TEST_F(DicomCohort, PairsScansWithMasksOfTheirNames) {
  write_dicom(dir_ / "in/scan1.dcm", scan());
  write_dicom(dir_ / "in/deep/IM_0002", scan());
  write_picture(dir_ / "in/scan1.png", head());
  std::filesystem::create_directories(dir_ / "in/deep/masks");
  write_nifti(dir_ / "in/deep/masks/IM_0002.nii.gz", head() / 255, 0, 0);
  const Cohort cohort = open_cohort("us", dir_ / "in");
  EXPECT_EQ(cohort.layout(), "dicom");
  ASSERT_EQ(cohort.size(), 2u);
  EXPECT_TRUE(cohort.has_masks());
  EXPECT_EQ(cohort.info(0).id, "deep-IM_0002");
  EXPECT_EQ(cohort.info(1).id, "scan1");
  EXPECT_NEAR(cohort.info(1).spacing_x_mm, 0.1, 1e-12);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(cv::norm(cohort.load(i).mask, head(), cv::NORM_INF), 0);
  }
  check_cohort(cohort);
}

TEST_F(DicomCohort, WhatLiesOutsideOfTheRegionIsBlack) {
  write_dicom(dir_ / "a.dcm", scan());
  const Cohort cohort = open_cohort("us", dir_);
  const Sample sample = cohort.load(0);
  const cv::Rect region(10, 20, 280, 170);
  EXPECT_EQ(
      cv::norm(sample.image(region), test_picture(0)(region), cv::NORM_INF), 0);
  cv::Mat outside = sample.image.clone();
  outside(region) = 0;
  EXPECT_EQ(cv::countNonZero(outside), 0);
}

TEST_F(DicomCohort, EveryDamagedFileIsNamedAtOnce) {
  for (const char* name : {"a.dcm", "b.dcm", "c.dcm"}) {
    write_dicom(dir_ / name, scan());
  }
  for (const char* name : {"a.dcm", "c.dcm"}) {
    std::filesystem::resize_file(dir_ / name, 300);
  }
  EXPECT_ERROR(open_cohort("us", dir_), DataError, "a.dcm", "c.dcm");
}

TEST_F(DicomCohort, PixelsThatMayHoldANameAreRefused) {
  TestDicom dicom = scan();
  dicom.change = nullptr;
  write_dicom(dir_ / "a.dcm", dicom);
  EXPECT_ERROR(open_cohort("us", dir_), DataError, "a.dcm", "region_x0",
               "data.burned_in=keep");
  CohortConfig config;
  config.burned_in = "keep";
  EXPECT_EQ(open_cohort("us", dir_, config).size(), 1u);
  dicom.burned_in = "NO";
  write_dicom(dir_ / "a.dcm", dicom);
  EXPECT_EQ(open_cohort("us", dir_).size(), 1u);
}

TEST_F(DicomCohort, FramesAreChosen) {
  write_dicom(dir_ / "loop.dcm", scan(4));
  EXPECT_ERROR(open_cohort("us", dir_), DataError, "loop.dcm", "4 frames",
               "data.frames=");
  CohortConfig config;
  const auto ids = [&](const std::string& frames) {
    config.frames = frames;
    std::string text;
    const Cohort cohort = open_cohort("us", dir_, config);
    for (std::size_t i = 0; i < cohort.size(); ++i) {
      text += cohort.info(i).id + " ";
    }
    return text;
  };
  EXPECT_EQ(ids("first"), "loop-f0000 ");
  EXPECT_EQ(ids("middle"), "loop-f0002 ");
  EXPECT_EQ(ids("3, 1"), "loop-f0001 loop-f0003 ");
  EXPECT_EQ(ids("all"), "loop-f0000 loop-f0001 loop-f0002 loop-f0003 ");
  EXPECT_ERROR(ids("4"), DataError, "no frame 4", "has 4");
  EXPECT_ERROR(ids("last"), ConfigError, "data.frames = last");
  config.frames = "all";
  const Cohort cohort = open_cohort("us", dir_, config);
  const cv::Rect region(10, 20, 280, 170);
  for (int frame = 0; frame < 4; ++frame) {
    EXPECT_EQ(cv::norm(cohort.load(frame).image(region),
                       test_picture(frame)(region), cv::NORM_INF),
              0);
  }
}

TEST_F(DicomCohort, AnnotatedFramesAreThoseWithAMask) {
  write_dicom(dir_ / "loop.dcm", scan(3));
  write_picture(dir_ / "loop-f0001_mask.png", head());
  CohortConfig config;
  config.frames = "annotated";
  const Cohort cohort = open_cohort("us", dir_, config);
  ASSERT_EQ(cohort.size(), 1u);
  EXPECT_EQ(cohort.info(0).id, "loop-f0001");
  config.frames = "all";
  EXPECT_ERROR(open_cohort("us", dir_, config), DataError, "loop-f0000",
               "no annotation");
}

TEST_F(DicomCohort, AMaskServesOneFrameUnlessItHasAsManySlices) {
  write_dicom(dir_ / "loop.dcm", scan(3));
  write_picture(dir_ / "loop_mask.png", head());
  CohortConfig config;
  config.frames = "first";
  EXPECT_TRUE(open_cohort("us", dir_, config).has_masks());
  config.frames = "all";
  EXPECT_ERROR(open_cohort("us", dir_, config), DataError, "loop_mask.png",
               "1 slices for the 3 frames");
}

// Nothing that the header says of a person is in what the cohort keeps.
TEST_F(DicomCohort, PatientsAndStudiesGoByKeys) {
  write_dicom(dir_ / "HOSP-4711_a.dcm", scan());
  write_dicom(dir_ / "b.dcm", scan());
  TestDicom other = scan();
  other.patient_id = "HOSP-4712";
  other.study_uid = "1.2.3.5";
  write_dicom(dir_ / "c.dcm", other);
  const Cohort cohort = open_cohort("us", dir_);
  ASSERT_EQ(cohort.size(), 3u);
  std::map<std::string, int> patients;
  for (std::size_t i = 0; i < 3; ++i) {
    const SampleInfo& info = cohort.info(i);
    ++patients[info.patient];
    for (const std::string& text : {info.id, info.exam, info.patient}) {
      for (const char* secret : {"4711", "4712", "Doe", "1.2.3"}) {
        EXPECT_EQ(text.find(secret), text.npos) << text;
      }
    }
  }
  EXPECT_EQ(patients.size(), 2u);
  EXPECT_EQ(cohort.info(0).patient.size(), 16u);
}

TEST_F(DicomCohort, KeysHangOnTheSaltAndOnNoOtherPatient) {
  write_dicom(dir_ / "in/a.dcm", scan());
  CohortConfig config;
  const std::string own = open_cohort("us", dir_ / "in").info(0).patient;
  write_text(dir_ / "salt", "0123456789abcdef");
  config.salt_file = dir_ / "salt";
  const std::string salted =
      open_cohort("us", dir_ / "in", config).info(0).patient;
  TestDicom other = scan();
  other.patient_id = "HOSP-4712";
  write_dicom(dir_ / "in/b.dcm", other);
  EXPECT_EQ(open_cohort("us", dir_ / "in").info(0).patient, own);
  EXPECT_NE(salted, own);
  // The same patient in another cohort is known by a common salt alone.
  write_dicom(dir_ / "other/z.dcm", scan());
  EXPECT_EQ(open_cohort("us", dir_ / "other", config).info(0).patient, salted);
  EXPECT_NE(open_cohort("us", dir_ / "other").info(0).patient, own);
  write_text(dir_ / "salt", "short");
  EXPECT_ERROR(open_cohort("us", dir_ / "in", config), ConfigError,
               "data.salt_file", "16 bytes");
}

TEST_F(DicomCohort, TheHashFollowsFramesAndRegions) {
  write_dicom(dir_ / "loop.dcm", scan(2));
  CohortConfig config;
  config.frames = "0";
  const auto first = open_cohort("us", dir_, config).content_hash();
  config.frames = "1";
  EXPECT_NE(open_cohort("us", dir_, config).content_hash(), first);
}

}  // namespace
}  // namespace sono
