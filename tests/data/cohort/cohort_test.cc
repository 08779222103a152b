#include "data/cohort.h"

#include "data/layouts/folder.h"
#include "tests/data/cohort/fixture.h"

namespace sono {
namespace {

class CohortTest : public FolderTest {
 protected:
  static constexpr double kSpacing = 0.1;

  // Three images of two exams in HC18's layout.
  void write_hc18() {
    int tone = 0;
    for (const std::string id : {"001_HC", "014_HC", "014_2HC"}) {
      write_picture(set() / (id + ".png"), test_picture(++tone));
      write_picture(set() / (id + "_Annotation.png"),
                    render_filled(test_head(), test_size()));
    }
    write_csv({"001_HC", "014_HC", "014_2HC"}, reference());
    write_text(dir_ / "trimester.csv", "filename,trimester\n001_HC.png,2\n");
  }
  void write_csv(const std::vector<std::string>& ids, double hc_mm) {
    std::string text = "filename,pixel size(mm),head circumference (mm)\r\n";
    for (const std::string& id : ids) {
      text += id + ".png," + std::to_string(kSpacing) + "," +
              std::to_string(hc_mm) + "\r\n";
    }
    write_text(dir_ / "training_set_pixel_size_and_HC.csv", text);
  }
  std::filesystem::path set() const { return dir_ / "training_set"; }
  static double reference() {
    return circumference_mm(test_head(), kSpacing, kSpacing);
  }
};

TEST_F(CohortTest, ReadsHc18FromTheRootOrTheFolder) {
  write_hc18();
  const Cohort cohort = open_cohort("hc18", dir_);
  EXPECT_EQ(cohort.layout(), "hc18");
  ASSERT_EQ(cohort.size(), 3u);
  EXPECT_TRUE(cohort.has_masks());
  EXPECT_EQ(cohort.info(0).id, "001_HC");
  EXPECT_EQ(cohort.info(0).trimester, 2);
  EXPECT_EQ(cohort.info(1).id, "014_2HC");
  EXPECT_EQ(cohort.info(1).exam, "014");
  EXPECT_EQ(cohort.info(2).exam, "014");
  EXPECT_NEAR(cohort.info(2).spacing_y_mm, kSpacing, 1e-9);
  const Sample sample = cohort.load(2);
  EXPECT_EQ(cv::norm(sample.image, test_picture(2), cv::NORM_INF), 0);
  EXPECT_EQ(sample.mask.size(), test_size());
  check_cohort(cohort);

  const Cohort inner = open_cohort("other name", set());
  EXPECT_EQ(inner.content_hash(), cohort.content_hash());
}

TEST_F(CohortTest, HashFollowsContentAndPolicy) {
  write_hc18();
  const std::string hash = open_cohort("a", dir_).content_hash();
  CohortConfig strict;
  strict.mask = "strict";
  EXPECT_NE(open_cohort("a", dir_, strict).content_hash(), hash);
  write_picture(set() / "001_HC.png", test_picture(9));
  EXPECT_NE(open_cohort("a", dir_).content_hash(), hash);
  write_picture(set() / "001_HC.png", test_picture(1));
  EXPECT_EQ(open_cohort("a", dir_).content_hash(), hash);
}

TEST_F(CohortTest, CsvFaultsNameFileAndRow) {
  write_hc18();
  write_csv({"001_HC", "014_HC"}, reference());
  EXPECT_SAYS(message_of<DataError>([&] { open_cohort("a", dir_); }),
              "no row for 014_2HC.png");
  const auto csv = dir_ / "training_set_pixel_size_and_HC.csv";
  write_text(csv, "filename,a,b\n001_HC.png,nan,5\n014_HC.png,1,1\n");
  EXPECT_SAYS(message_of<DataError>([&] { open_cohort("a", dir_); }), "'nan'");
  write_text(csv, "filename,a,b\n001_HC.png\n");
  EXPECT_SAYS(message_of<DataError>([&] { open_cohort("a", dir_); }), "row 2");
  std::filesystem::remove(csv);
  EXPECT_SAYS(message_of<DataError>([&] { open_cohort("a", dir_); }),
              "pixel_size_and_HC.csv");
}

TEST_F(CohortTest, AMissingAnnotationIsNamed) {
  write_hc18();
  std::filesystem::remove(set() / "014_HC_Annotation.png");
  EXPECT_SAYS(message_of<DataError>([&] { open_cohort("a", dir_); }),
              "014_HC_Annotation.png");
}

TEST_F(CohortTest, AWronglyFilledMaskIsCaughtByTheCsv) {
  write_hc18();
  Ellipse wrong = test_head();
  wrong.semi_major *= 1.06;
  write_picture(set() / "014_HC_Annotation.png",
                render_filled(wrong, test_size()));
  const Cohort cohort = open_cohort("a", dir_);
  const std::string text = message_of<DataError>([&] { check_cohort(cohort); });
  EXPECT_SAYS(text, "014_HC: the mask's circumference");
}

TEST_F(CohortTest, MaskOfAnotherSizeOrEmptyIsNamed) {
  write_hc18();
  const auto mask = set() / "001_HC_Annotation.png";
  const Cohort cohort = open_cohort("a", dir_);
  write_picture(mask, render_filled(test_head(), {300, 201}));
  const std::string size = message_of<DataError>([&] { cohort.load(0); });
  EXPECT_SAYS(size, "001_HC_Annotation.png: mask of 300x201 px");
  write_picture(mask, cv::Mat::zeros(test_size(), CV_8UC1));
  EXPECT_SAYS(message_of<DataError>([&] { cohort.load(0); }),
              "001_HC_Annotation.png: empty mask");
  write_text(mask, "\x89PNG\r\n\x1a\n rubbish");
  EXPECT_SAYS(message_of<DataError>([&] { cohort.load(0); }),
              "001_HC_Annotation.png: damaged PNG");
}

TEST_F(CohortTest, ReadsPairs) {
  for (const std::string id :
       {"Patient00305_Plane3_2_of_5", "Patient00305_Plane3_3_of_5", "own"}) {
    write_picture(dir_ / "image" / (id + ".png"), test_picture(1));
    const char* suffix = id == "own" ? ".png" : "_Annotation.png";
    write_picture(dir_ / "mask" / (id + suffix),
                  render_filled(test_head(), test_size()));
  }
  const Cohort cohort = open_cohort("spain", dir_);
  EXPECT_EQ(cohort.layout(), "pairs");
  ASSERT_EQ(cohort.size(), 3u);
  EXPECT_EQ(cohort.info(0).exam, "Patient00305");
  EXPECT_EQ(cohort.info(1).patient, "Patient00305");
  EXPECT_EQ(cohort.info(2).exam, "own");
  EXPECT_EQ(cohort.info(2).patient, "");
  check_cohort(cohort);
  write_picture(dir_ / "image" / "lonely.png", test_picture(1));
  EXPECT_SAYS(message_of<DataError>([&] { open_cohort("spain", dir_); }),
              "lonely.png: no mask");
}

TEST_F(CohortTest, ReadsFolderAndClasses) {
  write_picture(dir_ / "brain" / "a.png", test_picture(1));
  write_picture(dir_ / "femur" / "a.png", test_picture(2));
  const Cohort cohort = open_cohort("planes", dir_);
  EXPECT_EQ(cohort.layout(), "folder");
  ASSERT_EQ(cohort.size(), 2u);
  EXPECT_EQ(cohort.info(0).id, "brain-a");
  EXPECT_EQ(cohort.entry(1).label, "femur");
  EXPECT_FALSE(cohort.has_masks());
  EXPECT_TRUE(cohort.load(0).mask.empty());
}

TEST_F(CohortTest, BadPlacesAndOptions) {
  EXPECT_SAYS(message_of<ConfigError>([&] { open_cohort("x", dir_ / "no"); }),
              "is not a folder");
  EXPECT_SAYS(message_of<DataError>([&] { open_cohort("x", dir_); }),
              "no images found");
  CohortConfig config;
  config.mask = "filled";
  EXPECT_SAYS(message_of<ConfigError>([&] { open_cohort("x", dir_, config); }),
              "data.mask");
  write_picture(dir_ / "a.png", test_picture(1));
  write_picture(dir_ / "a.jpg", test_picture(1));
  EXPECT_SAYS(message_of<DataError>([&] { open_cohort("x", dir_); }),
              "share the id a");
}

TEST(Cohort, Strata) {
  EXPECT_EQ(stratum(0), "");
  EXPECT_EQ(stratum(96.9), "<97");
  EXPECT_EQ(stratum(97), "97-255");
  EXPECT_EQ(stratum(255), "97-255");
  EXPECT_EQ(stratum(255.1), ">255");
}

TEST(Cohort, PatientNames) {
  EXPECT_EQ(patient_of("Patient00305_Plane3"), "Patient00305");
  EXPECT_EQ(patient_of("patient001_DZA_plane0"), "patient001");
  EXPECT_EQ(patient_of("Patient_Plane3"), "");
  EXPECT_EQ(patient_of("014_HC"), "");
}

}  // namespace
}  // namespace sono
