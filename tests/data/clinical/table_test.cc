// cohort.csv beside files of several formats; TIFF.

#include <tiffio.h>

#include "data/cohort.h"
#include "data/formats/nifti.h"
#include "tests/core/expect_error.h"
#include "tests/data/cohort/fixture.h"

namespace sono {
namespace {

class TableTest : public FolderTest {
 protected:
  void write_tiff(const std::filesystem::path& path, const cv::Mat& image,
                  int pages = 1) {
    std::filesystem::create_directories(path.parent_path());
    TIFF* tiff = TIFFOpen(path.c_str(), "w");
    for (int page = 0; page < pages; ++page) {
      TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, image.cols);
      TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, image.rows);
      TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8);
      TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
      TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
      TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_LZW);
      for (int y = 0; y < image.rows; ++y) {
        TIFFWriteScanline(tiff, const_cast<unsigned char*>(image.ptr(y)),
                          static_cast<std::uint32_t>(y), 0);
      }
      TIFFWriteDirectory(tiff);
    }
    TIFFClose(tiff);
  }
  cv::Mat head() const { return render_filled(test_head(), test_size()); }
  void write_table(const std::string& text) {
    write_text(dir_ / "cohort.csv", text);
  }
};

TEST_F(TableTest, ListsFilesOfSeveralFormats) {
  write_tiff(dir_ / "scans/a.tif", test_picture(0));
  write_picture(dir_ / "scans/b.png", test_picture(1));
  write_nifti(dir_ / "c.nii.gz", test_picture(2), 0.3, 0.4);
  write_picture(dir_ / "drawn/a.png", head());
  write_picture(dir_ / "scans/b_mask.png", head());
  write_picture(dir_ / "c.png", head());
  write_table(
      "\xef\xbb\xbf"
      "file,mask,exam,patient,spacing_mm,trimester,id\r\n"
      "scans/a.tif,drawn/a.png,e1,\"p, 1\",0.1,2,first\r\n"
      "scans/b.png,,e2,p2,0.2,,\r\n"
      "c.nii.gz,,,,,3,\r\n");
  const Cohort cohort = open_cohort("t", dir_);
  EXPECT_EQ(cohort.layout(), "table");
  ASSERT_EQ(cohort.size(), 3u);
  EXPECT_TRUE(cohort.has_masks());
  EXPECT_EQ(cohort.info(2).id, "first");
  EXPECT_EQ(cohort.info(2).patient, "p, 1");
  EXPECT_EQ(cohort.info(2).trimester, 2);
  EXPECT_FLOAT_EQ(cohort.info(0).spacing_x_mm, 0.2);
  EXPECT_FLOAT_EQ(cohort.info(1).spacing_y_mm, 0.4);  // the file's own
  EXPECT_EQ(cohort.info(1).exam, "c");
  EXPECT_EQ(cv::norm(cohort.load(2).image, test_picture(0), cv::NORM_INF), 0);
  EXPECT_EQ(cv::norm(cohort.load(1).mask, head(), cv::NORM_INF), 0);
}

TEST_F(TableTest, ARegionIsKept) {
  write_picture(dir_ / "a.png", test_picture(0));
  write_table(
      "file,region_x0,region_y0,region_x1,region_y1\na.png,10,20,19,29\n");
  const cv::Mat image = open_cohort("t", dir_).load(0).image;
  EXPECT_EQ(cv::countNonZero(image), 100);
  EXPECT_GT(image.at<std::uint8_t>(29, 19), 0);
}

TEST_F(TableTest, RowsThatAreWrongAreNamed) {
  write_picture(dir_ / "a.png", test_picture(0));
  const auto refused = [&](const std::string& text) {
    write_table(text);
    return message_of<DataError>([&] { open_cohort("t", dir_); });
  };
  EXPECT_SAYS(refused("file,spacng_mm\na.png,1\n"), "spacing_mm");
  EXPECT_SAYS(refused("mask\na.png\n"), "'file'");
  EXPECT_SAYS(refused("file,spacing_mm\na.png,-1\n"), "row 2");
  EXPECT_SAYS(refused("file,spacing_mm\na.png,0.1mm\n"), "not a number");
  EXPECT_SAYS(refused("file,spacing_x_mm\na.png,1\n"), "one axis");
  EXPECT_SAYS(refused("file,trimester\na.png,4\n"), "trimester");
  EXPECT_SAYS(refused("file,mask\na.png\n"), "columns");
  EXPECT_SAYS(refused("file,region_x0\na.png,3\n"), "all four");
  EXPECT_SAYS(refused("file\nb.bmp\n"), "b.bmp");
  EXPECT_SAYS(refused("file\n"), "no rows");
}

TEST_F(TableTest, DamagedAndLongTiffsAreRefused) {
  const cv::Mat image = test_picture(0);
  write_tiff(dir_ / "a.tif", image);
  EXPECT_EQ(cv::norm(read_image(dir_ / "a.tif"), image, cv::NORM_INF), 0);
  write_tiff(dir_ / "two.tif", image, 2);
  EXPECT_ERROR(read_image(dir_ / "two.tif"), DataError, "two.tif", "pages");
  std::ifstream file(dir_ / "a.tif", std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  for (std::size_t size = 4; size + 12 < bytes.size(); size += 97) {
    write_text(dir_ / "cut.tif", bytes.substr(0, size));
    EXPECT_ERROR(read_image(dir_ / "cut.tif"), DataError, "cut.tif");
  }
}

}  // namespace
}  // namespace sono
