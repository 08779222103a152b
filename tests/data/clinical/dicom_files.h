#pragma once
// DICOM files for the tests, written by DCMTK.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

class DcmDataset;

namespace sono {

enum class Coding { kPlain, kJpeg, kJpegLossless, kRle, kJpegLs };

struct TestDicom {
  int width = 8;
  int height = 6;
  int frames = 1;
  int samples = 1;
  int bits = 8;
  std::string photometric = "MONOCHROME2";
  std::vector<std::uint8_t> pixels;  // frame by frame, interleaved
  std::string patient_id, patient_name, study_uid;
  std::string burned_in = "NO";
  Coding coding = Coding::kPlain;
  std::function<void(DcmDataset&)> change;  // before it is written
};

void write_dicom(const std::filesystem::path& path, const TestDicom& dicom);

// A calibrated region of the ultrasound sequence; corners included.
struct TestRegion {
  unsigned x0, y0, x1, y1;
  double delta_x_cm, delta_y_cm;
  unsigned format = 1;  // two-dimensional
  unsigned units = 3;   // cm
};
void add_region(DcmDataset& dataset, const TestRegion& region);

}  // namespace sono
