#pragma once
// Do training and test share heads? Exams and patients are refused when the
// cohorts are opened; near duplicates are looked for before anything is
// trained, and reported.

#include <string>
#include <vector>

#include "experiments/segmentation_stages.h"

namespace sono {

// DataError naming both images where one image, or one exam or patient, stands
// on both sides of a cohort, or one patient in the training images of a cohort
// and the test images of another; data.shared_patients = warn only says so of
// exams and patients.
void check_shared_heads(const std::vector<StudyCohort>& cohorts,
                        const std::string& shared_patients);

// A stage that compares the real images that any run is trained on with all
// test images, by grey values and by the segmenter's embedding (which the runs
// need anyway). Outputs: {"train", "test": numbers of images, "pixels",
// "embedding": the largest likeness of two, "alike": number of near duplicates,
// "pairs": [{"train", "test": "COHORT/IMAGE", "pixels", "embedding"}], the most
// alike of them}. Near
// duplicates are logged as warnings. All ranks must call.
StageResult find_near_duplicates(const RunContext& context, const Study& study,
                                 const std::vector<ArmRun>& runs,
                                 SharedSegmenter& shared);

// One line for the report for each of the first pairs, and one for the rest.
std::vector<std::string> leak_notices(const nlohmann::json& outputs);

}  // namespace sono
