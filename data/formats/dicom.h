#pragma once
// DICOM ultrasound, by DCMTK: single images and cine loops, monochrome, RGB,
// YBR and palette, uncompressed, JPEG, JPEG-LS and RLE. JPEG 2000 and video are
// refused by name.
//
// Of a file's tags these are read and no others: Rows, Columns, NumberOfFrames,
// BitsAllocated, SamplesPerPixel, PhotometricInterpretation and what else it
// takes to draw pixels; SequenceOfUltrasoundRegions, PixelSpacing,
// BurnedInAnnotation; PatientID and StudyInstanceUID, from which only hashed
// keys are kept (data/layouts/pseudonyms.h).

#include <filesystem>
#include <opencv2/core.hpp>
#include <string>

namespace sono {

struct DicomFacts {
  cv::Size size;
  int frames = 1;
  // From the region's PhysicalDeltaX and -Y, else PixelSpacing; 0 unknown.
  double spacing_x_mm = 0;
  double spacing_y_mm = 0;
  // The largest 2-D region that is calibrated in cm; empty when none is. What
  // lies outside may be text.
  cv::Rect region;
  // BurnedInAnnotation says that there is no text in the pixels.
  bool says_no_text = false;
  std::string patient_id, study_uid;  // never to be stored or shown
};

// Does the file carry DICOM's mark (after its preamble)? False when unreadable.
bool is_dicom(const std::filesystem::path& path);

// DataError naming the file: not DICOM, damaged, no pixels, a size that its
// bytes cannot hold, a depth or transfer syntax that cannot be drawn.
DicomFacts dicom_facts(const std::filesystem::path& path);

// One frame as CV_8UC1 [H, W], colour as luma, deeper pixels with the whole
// range of their stored bits brought to 0..255 (no window is applied);
// overlays are left out. Errors as above.
cv::Mat read_dicom(const std::filesystem::path& path, int frame);

}  // namespace sono
