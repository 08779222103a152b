// nnU-Net's layout, in and out.

#include "data/layouts/nnunet.h"

#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "tests/core/expect_error.h"
#include "tests/data/cohort/fixture.h"

namespace sono {
namespace {

class NnunetTest : public FolderTest {
 protected:
  cv::Mat head() const { return render_filled(test_head(), test_size()); }

  Sample sample(const std::string& id, int tone) const {
    Sample one;
    one.id = id;
    one.exam = "exam " + id;
    one.patient = "p" + id;
    one.spacing_x_mm = 0.2;
    one.spacing_y_mm = 0.25;
    one.hc_reference_mm = 200;
    one.trimester = 2;
    one.image = test_picture(tone);
    one.mask = head();
    return one;
  }

  void export_three(const NnunetExport& options) {
    NnunetWriter writer(options, dir_);
    for (int i = 0; i < 3; ++i) {
      writer.add(sample("a " + std::to_string(i), i), i == 2);
    }
    writer.finish();
  }
};

TEST_F(NnunetTest, WhatIsWrittenIsReadBack) {
  for (const char* ending : {".nii.gz", ".png"}) {
    std::filesystem::remove_all(dir_);
    NnunetExport options;
    options.name = "Dataset501_Head";
    options.ending = ending;
    export_three(options);
    const auto dataset =
        nlohmann::json::parse(read_file(dir_ / "dataset.json"));
    EXPECT_EQ(dataset["numTraining"], 2);
    EXPECT_EQ(dataset["file_ending"], ending);
    EXPECT_EQ(dataset["labels"]["head"], 1);
    // With the table all is known; without it what nnU-Net's files say.
    const Cohort whole = open_cohort("n", dir_);
    EXPECT_EQ(whole.layout(), "table");
    ASSERT_EQ(whole.size(), 3u);
    EXPECT_EQ(whole.info(1).id, "a 1");
    EXPECT_EQ(whole.info(1).patient, "pa 1");
    EXPECT_EQ(whole.info(1).trimester, 2);
    EXPECT_FLOAT_EQ(whole.info(1).spacing_y_mm, 0.25);
    std::filesystem::remove(dir_ / "cohort.csv");
    const Cohort training = open_cohort("n", dir_);
    EXPECT_EQ(training.layout(), "nnunet");
    ASSERT_EQ(training.size(), 2u);
    EXPECT_EQ(training.info(0).id, "a_0");
    EXPECT_NEAR(training.info(0).spacing_y_mm,
                std::string(ending) == ".png" ? 0 : 0.25, 1e-6);
    const Sample read = training.load(1);
    EXPECT_EQ(cv::norm(read.image, test_picture(1), cv::NORM_INF), 0);
    EXPECT_EQ(cv::norm(read.mask, head(), cv::NORM_INF), 0);
    const Cohort test = open_cohort("n", dir_ / "imagesTs");
    ASSERT_EQ(test.size(), 1u);
    EXPECT_EQ(test.info(0).id, "a_2");
    EXPECT_TRUE(test.has_masks());
  }
}

TEST_F(NnunetTest, OneOfSeveralLabelsIsChosen) {
  write_picture(dir_ / "imagesTr/x_0000.png", test_picture(0));
  cv::Mat labels = head() / 255;
  labels(cv::Rect(0, 0, 20, 20)) = 2;
  write_picture(dir_ / "labelsTr/x.png", labels);
  write_text(dir_ / "dataset.json",
             R"({"labels": {"background": 0, "head": 1, "cord": 2}})");
  EXPECT_ERROR(open_cohort("n", dir_), ConfigError, "cord, head",
               "data.label=NAME");
  CohortConfig config;
  config.label = "head";
  const Cohort cohort = open_cohort("n", dir_, config);
  EXPECT_EQ(cv::norm(cohort.load(0).mask, head(), cv::NORM_INF), 0);
  config.label = "cord";
  const Cohort other = open_cohort("n", dir_, config);
  EXPECT_EQ(cv::countNonZero(other.load(0).mask), 400);
  EXPECT_NE(other.content_hash(), cohort.content_hash());
}

TEST_F(NnunetTest, WhatIsMissingIsNamed) {
  write_text(dir_ / "dataset.json",
             R"({"labels": {"background": 0, "head": 1}})");
  std::filesystem::create_directories(dir_ / "labelsTr");
  write_picture(dir_ / "imagesTr/x_0000.png", test_picture(0));
  EXPECT_ERROR(open_cohort("n", dir_), DataError, "x_0000.png", "no label x");
  write_picture(dir_ / "imagesTr/x_0001.png", test_picture(0));
  std::filesystem::remove(dir_ / "imagesTr/x_0000.png");
  EXPECT_ERROR(open_cohort("n", dir_), DataError, "x_0001.png", "one channel");
  write_text(dir_ / "dataset.json", "{}");
  EXPECT_ERROR(open_cohort("n", dir_), DataError, "dataset.json", "labels");
}

TEST_F(NnunetTest, NamesThatCollideAndMissingMasksAreRefused) {
  NnunetExport options;
  NnunetWriter writer(options, dir_);
  writer.add(sample("a b", 0), false);
  EXPECT_ERROR(writer.add(sample("a.b", 0), false), ConfigError, "a_b");
  EXPECT_ERROR(writer.add(Sample{}, false), DataError, "no mask");
}

}  // namespace
}  // namespace sono
