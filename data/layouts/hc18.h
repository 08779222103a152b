#pragma once
// HC18's layout (van den Heuvel et al. 2018, Zenodo 1327317):
//   training_set/NNN_HC.png, NNN_2HC.png ... with NNN_HC_Annotation.png
//   training_set_pixel_size_and_HC.csv: filename,pixel size(mm),head
//   circumference (mm)
//   trimester.csv (optional): filename,trimester
// NNN is the exam. The csv files may lie beside or inside training_set.

#include <filesystem>
#include <optional>
#include <vector>

#include "data/cohort.h"

namespace sono {

// The images of `dir` (the release's root or training_set itself), or nothing
// when it is not in this layout. DataError naming file and row: csv missing or
// malformed, an image without row, some but not all images annotated.
std::optional<std::vector<CohortEntry>> read_hc18(
    const std::filesystem::path& dir);

}  // namespace sono
