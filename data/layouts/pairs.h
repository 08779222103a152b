#pragma once
// Image and mask folders side by side: image/X.png with mask/X_Annotation.png,
// mask/X_mask.png or mask/X.png (also images/ and masks/; JPEG, TIFF, NIfTI and
// DICOM images too, masks as NIfTI and TIFF). A name that starts with
// "PatientNNN_" (FETAL_PLANES_DB) gives patient and exam.

#include <filesystem>
#include <optional>
#include <vector>

#include "data/cohort.h"

namespace sono {

// The pairs of `dir`, or nothing when it has no image and mask folders.
// DataError names an image without mask.
std::optional<std::vector<CohortEntry>> read_pairs(
    const std::filesystem::path& dir, const CohortConfig& config);

}  // namespace sono
