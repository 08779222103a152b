#pragma once
// Plain images without masks: in one folder, or in one folder a class.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/cohort.h"

namespace sono {

// The images of `dir`, and of its direct sub-folders (label = folder name, id
// = "label-stem"); nothing when there is none.
std::optional<std::vector<CohortEntry>> read_folder(
    const std::filesystem::path& dir);

// The image files directly in `dir`, sorted by name; hidden files left out.
std::vector<std::filesystem::path> image_files(
    const std::filesystem::path& dir);

// "PatientNNN" from names like "Patient00305_Plane3_2_of_5" (any case of the
// P, as in the Spanish and African sets); "" otherwise.
std::string patient_of(const std::string& stem);

}  // namespace sono
