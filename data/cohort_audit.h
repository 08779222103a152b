#pragma once
// What is in a cohort and what is wrong with it, for `sonoforge inspect`.

#include <nlohmann/json.hpp>
#include <string>

#include "data/cohort.h"

namespace sono {

// Reads every image. Never throws for a bad image: each trouble becomes an
// entry of "problems". Keys:
//   name, layout, images, masks, exams, patients (0 when unknown)
//   labels, strata, trimesters, mask_kinds: {value: count}
//   sizes: {"800x540": count}
//   spacing_mm: {min, max} or null
//   hc_mm: {min, max} or null
//   circumference_error: {mean, sd, max_abs} (fractions) or null
//   problems: [{kind, files: [...], text}], kind one of unreadable, mask_size,
//     empty_mask, open_outline, circumference, duplicate_file,
//     duplicate_pixels
nlohmann::json audit_cohort(const Cohort& cohort);

// The audit as lines of text for a person.
std::string audit_text(const nlohmann::json& audit);

}  // namespace sono
