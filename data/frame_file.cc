#include "data/frame_file.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "data/formats/dicom.h"
#include "data/formats/nifti.h"
#include "data/image_file.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text;
}

// ".nii", ".nii.gz" or "".
std::string nifti_ending(const fs::path& path) {
  const std::string name = lower(path.filename().string());
  for (const char* ending : {".nii.gz", ".nii"}) {
    if (name.ends_with(ending)) return ending;
  }
  return "";
}

FileKind kind_or_refuse(const fs::path& path) {
  if (const auto kind = file_kind(path)) return *kind;
  throw DataError(path.string() +
                  ": no such file, or neither PNG, JPEG, TIFF, NIfTI nor "
                  "DICOM; correct its name or remove it");
}

FileFacts facts_of(const NiftiFacts& nifti) {
  FileFacts facts;
  facts.frames = nifti.slices;
  facts.spacing_x_mm = nifti.spacing_x_mm;
  facts.spacing_y_mm = nifti.spacing_y_mm;
  return facts;
}

FileFacts facts_of(const DicomFacts& dicom) {
  FileFacts facts;
  facts.frames = dicom.frames;
  facts.spacing_x_mm = dicom.spacing_x_mm;
  facts.spacing_y_mm = dicom.spacing_y_mm;
  facts.region = dicom.region;
  facts.may_hold_text = dicom.region.empty() && !dicom.says_no_text;
  facts.patient_id = dicom.patient_id;
  facts.study_uid = dicom.study_uid;
  return facts;
}

}  // namespace

std::optional<FileKind> file_kind(const fs::path& path) {
  if (is_image_name(path)) return FileKind::kPlain;
  if (!nifti_ending(path).empty()) return FileKind::kNifti;
  const std::string ending = lower(path.extension().string());
  if (ending == ".dcm" || ending == ".dicom") return FileKind::kDicom;
  // The parts of a UID look like endings.
  const bool number =
      ending.size() > 1 &&
      std::all_of(ending.begin() + 1, ending.end(),
                  [](unsigned char c) { return std::isdigit(c); });
  if ((ending.empty() || number) && is_dicom(path)) return FileKind::kDicom;
  return std::nullopt;
}

std::string stem_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (const std::string ending = nifti_ending(path); !ending.empty()) {
    return name.substr(0, name.size() - ending.size());
  }
  const std::string ending = lower(path.extension().string());
  const bool known =
      is_image_name(path) || ending == ".dcm" || ending == ".dicom";
  return known ? path.stem().string() : name;
}

FileFacts file_facts(const fs::path& path) {
  switch (kind_or_refuse(path)) {
    case FileKind::kNifti:
      return facts_of(nifti_facts(path));
    case FileKind::kDicom:
      return facts_of(dicom_facts(path));
    default:
      return {};
  }
}

cv::Mat read_frame(const fs::path& path, int frame) {
  switch (kind_or_refuse(path)) {
    case FileKind::kNifti:
      return read_nifti(path, frame);
    case FileKind::kDicom:
      return read_dicom(path, frame);
    default:
      return read_image(path);
  }
}

cv::Mat read_mask_frame(const fs::path& path, int frame) {
  if (file_kind(path) == FileKind::kNifti) {
    return read_nifti_labels(path, frame);
  }
  return read_frame(path, frame);
}

}  // namespace sono
