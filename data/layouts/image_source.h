#pragma once
// From files to a cohort's entries, for the layouts that know what a file says
// of itself: frames, spacing, the picture's region, patient and study.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/cohort.h"
#include "data/frame_file.h"

namespace sono {

// One file of a layout. What it leaves empty is taken from the file itself.
struct ImageSource {
  std::filesystem::path image;
  // With id, exam and patient empty they come from the file's name and DICOM
  // header; a spacing of 0 and an empty region too.
  SampleInfo info;
  std::string label;  // class
  cv::Rect region;
  std::string frames;  // as data.frames, which it overrides; may be empty
  // The mask, or where to look for one of the image's name; both may be empty.
  std::filesystem::path mask;
  std::vector<std::filesystem::path> mask_folders;
  // The value of the mask's foreground; 0: what is above half of its maximum.
  int mask_value = 0;
};

// One entry a chosen frame. The id of a frame of a longer file is STEM-fNNNN
// (from 0), and so is the name of its mask; a NIfTI mask with as many slices
// serves all frames. A DICOM file whose name holds its PatientID gets a hash as
// id. DataError naming the file: more frames than chosen, a mask of another
// number of frames, text that may be burned in with nothing to say where the
// picture is, some images with masks and some without.
std::vector<CohortEntry> make_entries(std::vector<ImageSource> sources,
                                      const CohortConfig& config);

// The mask of an image called `stem` in one of the folders: stem_Annotation,
// stem_mask or stem, as PNG, TIFF or NIfTI, that is not `image` itself.
std::optional<std::filesystem::path> find_mask(
    const std::vector<std::filesystem::path>& folders, const std::string& stem,
    const std::filesystem::path& image);

// DataError naming an entry without mask where others have one.
void check_all_or_no_masks(const std::vector<CohortEntry>& entries);

}  // namespace sono
