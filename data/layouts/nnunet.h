#pragma once
// nnU-Net's raw data sets: dataset.json, imagesTr/CASE_0000.ENDING with
// labelsTr/CASE.ENDING, and imagesTs (labelsTs) of cases that are held out.
// Read and written.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/cohort.h"

namespace sono {

// The training cases of `dir`, or those of imagesTr or imagesTs when `dir` is
// one of these; nothing when there is no dataset.json beside them. The
// foreground is data.label, which must be set where dataset.json has several.
// DataError: more than one channel, a case without image or label.
std::optional<std::vector<CohortEntry>> read_nnunet(
    const std::filesystem::path& dir, const CohortConfig& config);

struct NnunetExport {
  std::string name;                // of the data set, for dataset.json
  std::string ending = ".nii.gz";  // or ".png"
  std::string label = "head";
};

// One case to write. Ids are made into file names: letters, digits, '-', '_'.
struct NnunetCase {
  std::function<Sample()> load;
  bool test = false;  // into imagesTs and labelsTs
};

// Writes dataset.json last, and cohort.csv with what nnU-Net's files cannot
// hold (exam, patient, HC, spacing). ConfigError when two ids make one name;
// DataError when a case has no mask.
void write_nnunet(const std::vector<NnunetCase>& cases,
                  const NnunetExport& options,
                  const std::filesystem::path& dir);

}  // namespace sono
