// Files that pydicom and nibabel wrote, against what these read from them
// (tests/parity/clinical_files.py).

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "data/formats/dicom.h"
#include "data/formats/nifti.h"

namespace sono {
namespace {

using nlohmann::json;

const std::filesystem::path& folder() {
  static const std::filesystem::path kFolder =
      SONO_SOURCE_DIR "/tests/parity/fixtures/clinical";
  return kFolder;
}

json expected(const char* format) {
  return json::parse(read_file(folder() / "expected.json"))[format];
}

// Grey as DICOM means it, from what pydicom hands out as stored.
double grey(const json& one, const std::vector<double>& values, int i) {
  if (one["inverted"]) return 255 - values[i];
  if (!one["colour"]) return values[i];
  return 0.299 * values[3 * i] + 0.587 * values[3 * i + 1] +
         0.114 * values[3 * i + 2];
}

TEST(ClinicalParity, DicomIsPydicoms) {
  for (const json& one : expected("dicom")) {
    const auto path = folder() / one["file"].get<std::string>();
    const DicomFacts facts = dicom_facts(path);
    EXPECT_EQ(facts.frames, one["frames"]);
    EXPECT_DOUBLE_EQ(facts.spacing_x_mm, one["spacing"][0]);
    EXPECT_DOUBLE_EQ(facts.spacing_y_mm, one["spacing"][1]);
    EXPECT_EQ(facts.region, cv::Rect(1, 2, 9, 6));
    EXPECT_EQ(facts.patient_id, "secret");
    for (int frame = 0; frame < facts.frames; ++frame) {
      const cv::Mat image = read_dicom(path, frame);
      const std::vector<double> values = one["pixels"][frame];
      for (int i = 0; i < static_cast<int>(image.total()); ++i) {
        EXPECT_NEAR(image.data[i], grey(one, values, i), one["colour"] ? 1 : 0)
            << one["file"];
      }
    }
  }
}

TEST(ClinicalParity, NiftiIsNibabels) {
  for (const json& one : expected("nifti")) {
    const auto path = folder() / one["file"].get<std::string>();
    const NiftiFacts facts = nifti_facts(path);
    ASSERT_EQ(facts.slices, one["slices"]);
    EXPECT_FLOAT_EQ(facts.spacing_x_mm, one["spacing"][0]);
    EXPECT_FLOAT_EQ(facts.spacing_y_mm, one["spacing"][1]);
    double low = INFINITY, high = -INFINITY;
    for (const json& slice : one["values"]) {
      for (double value : slice) {
        low = std::min(low, value);
        high = std::max(high, value);
      }
    }
    const bool bytes = one["file"] == "bytes.nii.gz";
    for (int k = 0; k < facts.slices; ++k) {
      const cv::Mat image = read_nifti(path, k);
      const std::vector<double> values = one["values"][k];
      for (std::size_t i = 0; i < image.total(); ++i) {
        const double shown =
            bytes ? values[i] : (values[i] - low) / (high - low) * 255;
        EXPECT_NEAR(image.data[i], shown, bytes ? 0 : 0.51) << one["file"];
      }
    }
  }
}

}  // namespace
}  // namespace sono
