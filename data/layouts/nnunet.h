#pragma once
// nnU-Net's raw data sets: dataset.json, imagesTr/CASE_0000.ENDING with
// labelsTr/CASE.ENDING, and imagesTs (labelsTs) of cases that are held out.
// Read and written.

#include <filesystem>
#include <optional>
#include <set>
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

// Writes a raw data set case by case. Ids are made into file names: letters,
// digits, '-', '_'.
class NnunetWriter {
 public:
  NnunetWriter(const NnunetExport& options, std::filesystem::path dir);
  // `test`: into imagesTs and labelsTs. ConfigError when two ids make one name;
  // DataError when a case has no mask.
  void add(const Sample& sample, bool test);
  // Writes cohort.csv with what nnU-Net's files cannot hold (exam, patient, HC,
  // spacing), and dataset.json last.
  void finish() const;

 private:
  NnunetExport options_;
  std::filesystem::path dir_;
  std::set<std::string> names_;
  std::string table_;
  int training_ = 0;
};

}  // namespace sono
