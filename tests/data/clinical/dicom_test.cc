// data/formats/dicom on files that DCMTK wrote.

#include "data/formats/dicom.h"

#include <dcmtk/config/osconfig.h>
// osconfig.h has to come first.
#include <dcmtk/dcmdata/dctk.h>

#include <fstream>

#include "data/frame_file.h"
#include "tests/core/expect_error.h"
#include "tests/data/clinical/dicom_files.h"
#include "tests/data/cohort/fixture.h"

namespace sono {
namespace {

class DicomTest : public FolderTest {
 protected:
  std::filesystem::path write(const TestDicom& dicom) {
    const auto path = dir_ / "a.dcm";
    write_dicom(path, dicom);
    return path;
  }
};

std::vector<std::uint8_t> ramp(int count) {
  std::vector<std::uint8_t> values(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    values[i] = static_cast<std::uint8_t>(i * 5 % 256);
  }
  return values;
}

TestDicom grey(int frames = 1) {
  TestDicom dicom;
  dicom.frames = frames;
  dicom.pixels = ramp(48 * frames);
  return dicom;
}

// The grey values of a frame, row by row.
std::vector<std::uint8_t> values(const cv::Mat& image) {
  return {image.data, image.data + image.total()};
}

int luma(int r, int g, int b) {
  return static_cast<int>(0.299 * r + 0.587 * g + 0.114 * b + 0.5);
}

TEST_F(DicomTest, GreyPixelsComeAsStored) {
  EXPECT_EQ(values(read_dicom(write(grey()), 0)), ramp(48));
}

TEST_F(DicomTest, Monochrome1IsInverted) {
  TestDicom dicom = grey();
  dicom.photometric = "MONOCHROME1";
  const auto read = values(read_dicom(write(dicom), 0));
  for (int i = 0; i < 48; ++i) EXPECT_EQ(read[i], 255 - dicom.pixels[i]);
}

TEST_F(DicomTest, AFrameOfALoopIsReadAlone) {
  const auto path = write(grey(3));
  EXPECT_EQ(dicom_facts(path).frames, 3);
  for (int frame = 0; frame < 3; ++frame) {
    const auto all = ramp(144);
    const auto first = all.begin() + 48 * frame;
    EXPECT_EQ(values(read_dicom(path, frame)),
              std::vector<std::uint8_t>(first, first + 48));
  }
}

TEST_F(DicomTest, ColoursBecomeLuma) {
  TestDicom dicom = grey();
  dicom.samples = 3;
  dicom.photometric = "RGB";
  dicom.pixels = ramp(144);
  const cv::Mat image = read_dicom(write(dicom), 0);
  for (int i = 0; i < 48; ++i) {
    const auto* p = &dicom.pixels[3 * i];
    EXPECT_NEAR(image.data[i], luma(p[0], p[1], p[2]), 1);
  }
}

TEST_F(DicomTest, LumaAndChromaBecomeLuma) {
  TestDicom dicom = grey();
  dicom.samples = 3;
  dicom.photometric = "YBR_FULL";
  dicom.pixels.clear();
  for (int i = 0; i < 48; ++i) {
    for (int value : {40 + i * 3, 128, 128}) {
      dicom.pixels.push_back(static_cast<std::uint8_t>(value));
    }
  }
  const cv::Mat image = read_dicom(write(dicom), 0);
  for (int i = 0; i < 48; ++i) EXPECT_NEAR(image.data[i], 40 + i * 3, 1);
}

// Two pixels share their chroma: Y0 Y1 Cb Cr.
TEST_F(DicomTest, SharedChromaIsUnfolded) {
  TestDicom dicom = grey();
  dicom.samples = 3;
  dicom.photometric = "YBR_FULL_422";
  dicom.pixels.clear();
  for (int i = 0; i < 48; i += 2) {
    for (int value : {40 + i * 3, 43 + i * 3, 128, 128}) {
      dicom.pixels.push_back(static_cast<std::uint8_t>(value));
    }
  }
  const cv::Mat image = read_dicom(write(dicom), 0);
  for (int i = 0; i < 48; ++i) EXPECT_NEAR(image.data[i], 40 + i * 3, 1);
}

TEST_F(DicomTest, APaletteIsLookedUp) {
  TestDicom dicom = grey();
  dicom.photometric = "PALETTE COLOR";
  for (int i = 0; i < 48; ++i) {
    dicom.pixels[i] = static_cast<std::uint8_t>(i % 4);
  }
  dicom.change = [](DcmDataset& dataset) {
    const Uint16 descriptor[3] = {4, 0, 16};
    const Uint16 red[4] = {0, 0xffff, 0, 0x8000};
    const Uint16 rest[4] = {0, 0, 0xffff, 0x8000};
    using Tags = std::pair<DcmTag, DcmTag>;
    for (const auto& [about, data] :
         {Tags(DCM_RedPaletteColorLookupTableDescriptor,
               DCM_RedPaletteColorLookupTableData),
          Tags(DCM_GreenPaletteColorLookupTableDescriptor,
               DCM_GreenPaletteColorLookupTableData),
          Tags(DCM_BluePaletteColorLookupTableDescriptor,
               DCM_BluePaletteColorLookupTableData)}) {
      const bool is_red = about == DCM_RedPaletteColorLookupTableDescriptor;
      dataset.putAndInsertUint16Array(about, descriptor, 3);
      dataset.putAndInsertUint16Array(data, is_red ? red : rest, 4);
    }
  };
  const cv::Mat image = read_dicom(write(dicom), 0);
  const int expected[4] = {0, luma(255, 0, 0), luma(0, 255, 255), 128};
  for (int i = 0; i < 48; ++i) EXPECT_NEAR(image.data[i], expected[i % 4], 1);
}

TEST_F(DicomTest, DeepPixelsAreBroughtToBytes) {
  TestDicom dicom = grey();
  dicom.bits = 16;
  dicom.pixels.clear();
  for (int i = 0; i < 48; ++i) {
    const int value = i * 1365;
    dicom.pixels.push_back(static_cast<std::uint8_t>(value & 255));
    dicom.pixels.push_back(static_cast<std::uint8_t>(value >> 8));
  }
  const cv::Mat image = read_dicom(write(dicom), 0);
  for (int i = 0; i < 48; ++i) EXPECT_NEAR(image.data[i], i * 1365 / 257.0, 1);
}

TEST_F(DicomTest, LosslessCodingsGiveThePixelsBack) {
  for (Coding coding : {Coding::kJpegLossless, Coding::kRle, Coding::kJpegLs}) {
    TestDicom dicom = grey(2);
    dicom.coding = coding;
    const auto path = write(dicom);
    for (int frame = 0; frame < 2; ++frame) {
      const auto all = ramp(96);
      EXPECT_EQ(values(read_dicom(path, frame)),
                std::vector<std::uint8_t>(all.begin() + 48 * frame,
                                          all.begin() + 48 * (frame + 1)))
          << static_cast<int>(coding);
    }
  }
}

TEST_F(DicomTest, LossyJpegComesNear) {
  TestDicom dicom;
  dicom.width = 64;
  dicom.height = 48;
  dicom.coding = Coding::kJpeg;
  for (int y = 0; y < 48; ++y) {
    for (int x = 0; x < 64; ++x) {
      dicom.pixels.push_back(static_cast<std::uint8_t>(2 * x + y));
    }
  }
  const cv::Mat image = read_dicom(write(dicom), 0);
  double difference = 0;
  for (int i = 0; i < 64 * 48; ++i) {
    difference += std::abs(image.data[i] - dicom.pixels[i]);
  }
  EXPECT_LT(difference / (64 * 48), 2);
}

TEST_F(DicomTest, TheLargestRegionInCentimetresCalibrates) {
  TestDicom dicom = grey();
  dicom.change = [](DcmDataset& dataset) {
    add_region(dataset, {0, 0, 7, 5, 1, 1, 3});          // spectral
    add_region(dataset, {0, 0, 1, 1, 0.5, 0.5});         // a small one
    add_region(dataset, {2, 1, 6, 4, 0.0123, -0.0145});  // the picture
  };
  const DicomFacts facts = dicom_facts(write(dicom));
  EXPECT_NEAR(facts.spacing_x_mm, 0.123, 1e-12);
  EXPECT_NEAR(facts.spacing_y_mm, 0.145, 1e-12);
  EXPECT_EQ(facts.region, cv::Rect(2, 1, 5, 4));
}

TEST_F(DicomTest, PixelSpacingStandsInForARegion) {
  TestDicom dicom = grey();
  dicom.change = [](DcmDataset& dataset) {
    dataset.putAndInsertString(DCM_PixelSpacing, "0.2\\0.3");
  };
  const DicomFacts facts = dicom_facts(write(dicom));
  EXPECT_NEAR(facts.spacing_y_mm, 0.2, 1e-12);
  EXPECT_NEAR(facts.spacing_x_mm, 0.3, 1e-12);
  EXPECT_TRUE(facts.region.empty());
  EXPECT_TRUE(facts.says_no_text);
}

TEST_F(DicomTest, AnAbsurdCalibrationIsRefused) {
  TestDicom dicom = grey();
  dicom.change = [](DcmDataset& dataset) {
    add_region(dataset, {0, 0, 7, 5, 40, 40});
  };
  const auto path = write(dicom);
  EXPECT_ERROR(dicom_facts(path), DataError, "a.dcm", "400", "cohort.csv");
}

TEST_F(DicomTest, WithoutPixelsItIsRefused) {
  TestDicom dicom = grey();
  dicom.pixels.clear();
  const auto path = write(dicom);
  EXPECT_ERROR(dicom_facts(path), DataError, "a.dcm", "without pixel data");
}

TEST_F(DicomTest, MorePixelsThanBytesAreRefused) {
  for (const auto& [tag, value] :
       {std::pair(DCM_Rows, 65535), std::pair(DCM_Rows, 60),
        std::pair(DCM_Columns, 0), std::pair(DCM_BitsAllocated, 7)}) {
    TestDicom dicom = grey();
    dicom.change = [&, t = tag, v = value](DcmDataset& dataset) {
      dataset.putAndInsertUint16(t, static_cast<Uint16>(v));
    };
    const auto path = write(dicom);
    EXPECT_ERROR(dicom_facts(path), DataError, "a.dcm");
    EXPECT_ERROR(read_dicom(path, 0), DataError, "a.dcm");
  }
  TestDicom dicom = grey();
  dicom.frames = 400;
  const auto path = write(dicom);
  EXPECT_ERROR(dicom_facts(path), DataError, "a.dcm", "19200");
}

// No cut of the file may be read as a whole one, crash or hang.
TEST_F(DicomTest, EveryTruncationIsRefused) {
  for (Coding coding : {Coding::kPlain, Coding::kJpegLossless}) {
    TestDicom dicom = grey();
    dicom.coding = coding;
    const auto path = write(dicom);
    std::ifstream file(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    const auto cut = dir_ / "cut.dcm";
    for (std::size_t size = 0; size + 9 < bytes.size(); size += 7) {
      write_text(cut, bytes.substr(0, size));
      EXPECT_ERROR(read_dicom(cut, 0), DataError, "cut.dcm");
    }
  }
}

// Any byte changed gives an image or an error of ours, nothing else.
TEST_F(DicomTest, DamagedBytesNeverCrash) {
  TestDicom dicom = grey(2);
  dicom.coding = Coding::kJpegLossless;
  dicom.change = [](DcmDataset& dataset) {
    add_region(dataset, {2, 1, 6, 4, 0.01, 0.01});
  };
  const auto path = write(dicom);
  std::ifstream file(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  const auto hurt = dir_ / "hurt.dcm";
  int refused = 0;
  for (std::size_t i = 128; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0xff);
    write_text(hurt, changed);
    try {
      dicom_facts(hurt);
      read_dicom(hurt, 1);
    } catch (const DataError&) {
      ++refused;
    } catch (const Error& error) {  // fewer frames than asked for
      EXPECT_NE(std::string(error.what()).find("frame 1 of 1"),
                std::string::npos)
          << error.what();
    }
  }
  EXPECT_GT(refused, 10);
}

TEST_F(DicomTest, AFileIsKnownByContentWhereItsNameSaysNothing) {
  const auto path = write(grey());
  std::filesystem::copy(path, dir_ / "IM_0001");
  write_text(dir_ / "README", "not an image");
  EXPECT_EQ(file_kind(dir_ / "IM_0001"), FileKind::kDicom);
  EXPECT_EQ(stem_of(dir_ / "IM_0001"), "IM_0001");
  EXPECT_FALSE(file_kind(dir_ / "README").has_value());
}

}  // namespace
}  // namespace sono
