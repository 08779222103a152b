#pragma once
// DICOM files in a folder and the folders below it, with masks of the same name
// beside them or in mask/ or masks/. Exams are studies, patients are patients,
// both by hashed keys (pseudonyms.h).

#include <filesystem>
#include <optional>
#include <vector>

#include "data/cohort.h"

namespace sono {

// Nothing when there is no DICOM file. DataError naming the file.
std::optional<std::vector<CohortEntry>> read_dicom_layout(
    const std::filesystem::path& dir, const CohortConfig& config);

}  // namespace sono
