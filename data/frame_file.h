#pragma once
// Any image file of a cohort, of one frame or many: PNG, JPEG and TIFF
// (image_file.h), NIfTI and DICOM (formats/).

#include <filesystem>
#include <opencv2/core.hpp>
#include <optional>
#include <string>

namespace sono {

enum class FileKind { kPlain, kNifti, kDicom };

// By the name's ending; a name that ends in .dcm, or has no ending, is DICOM
// when its content is. Nothing for other files.
std::optional<FileKind> file_kind(const std::filesystem::path& path);

// The file's name without its ending; ".nii.gz" is one ending.
std::string stem_of(const std::filesystem::path& path);

// What a file says of itself.
struct FileFacts {
  int frames = 1;
  double spacing_x_mm = 0;  // 0 when unknown
  double spacing_y_mm = 0;
  cv::Rect region;             // of the picture proper; empty: not told
  bool may_hold_text = false;  // DICOM that does not say where the picture is
  std::string patient_id, study_uid;  // DICOM's: never to be stored or shown
};

// Plain images are not opened: their facts are the defaults. DataError naming
// the file.
FileFacts file_facts(const std::filesystem::path& path);

// Frame `frame` (from 0) as CV_8UC1 [H, W]. DataError naming the file.
cv::Mat read_frame(const std::filesystem::path& path, int frame);

// The same of a mask: NIfTI labels as they are stored, others as images.
cv::Mat read_mask_frame(const std::filesystem::path& path, int frame);

}  // namespace sono
