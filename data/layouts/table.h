#pragma once
// Images listed in cohort.csv, whatever their folders and formats. The first
// row names the columns, in any order:
//   file          path of the image, relative to the folder (the one that must
//                 be there): PNG, JPEG, TIFF, NIfTI or DICOM
//   mask          path of its mask; without the column it is looked for beside
//                 the image and in mask/ or masks/ there
//   id, exam, patient, label, trimester (1, 2, 3), hc_mm
//   spacing_mm, or spacing_x_mm and spacing_y_mm
//   frames        as the option data.frames
//   region_x0, region_y0, region_x1, region_y1   the picture's part of the
//                 pixels, corners included; the rest is set to 0
// An empty cell leaves it to the file. Every column is offered to every format.

#include <filesystem>
#include <optional>
#include <vector>

#include "data/cohort.h"

namespace sono {

inline constexpr char kCohortTable[] = "cohort.csv";

// Nothing when `dir` has no cohort.csv. DataError naming file and row.
std::optional<std::vector<CohortEntry>> read_table_layout(
    const std::filesystem::path& dir, const CohortConfig& config);

}  // namespace sono
