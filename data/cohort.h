#pragma once
// A cohort: the images of one folder with masks, pixel sizes and exams, in one
// order (by id) whatever the file system says. Const calls may come from any
// number of threads.

#include <cstddef>
#include <filesystem>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "core/option.h"
#include "data/mask.h"
#include "data/sample.h"

namespace sono {

struct CohortConfig {
  // What to do with annotations that are outlines: "auto", "ellipse" or
  // "strict"; see MaskPolicy.
  std::string mask = "auto";
  // Frames of a file with several that become images: "one" (refuse such a
  // file), "first", "middle", "all", "annotated", or numbers from 0: "0,12".
  std::string frames = "one";
  // Foreground label of an nnU-Net data set; empty: the only one.
  std::string label;
  // DICOM files that do not say where their picture is and may hold a name in
  // their pixels: "refuse" or "keep".
  std::string burned_in = "refuse";
  // Secret for the keys of DICOM patients; see data/layouts/pseudonyms.h.
  std::string salt_file;

  void validate() const;  // ConfigError naming the option
};

void describe(OptionTable& table, CohortConfig& config);

// One image of a cohort on disk.
struct CohortEntry {
  SampleInfo info;
  std::filesystem::path image_path;
  std::filesystem::path mask_path;  // empty without annotation
  std::string label;                // class folder's name; may be empty
  int image_frame = 0;              // of a file with several
  int mask_frame = 0;
  // Value of the mask's foreground; 0: what is above half of its maximum.
  int mask_value = 0;
  // The picture's part of the pixels, the rest is set to 0; empty: all of it.
  cv::Rect region;
};

// The image's pixels, CV_8UC1, with 0 outside of the region; the mask's, as
// they are annotated. DataError naming the file.
cv::Mat read_image(const CohortEntry& entry);
cv::Mat read_annotation(const CohortEntry& entry);

class Cohort {
 public:
  // Sorts the entries by id; DataError when two share one.
  Cohort(std::string name, std::string layout, std::vector<CohortEntry> entries,
         MaskPolicy policy);

  const std::string& name() const { return name_; }
  // "table", "hc18", "nnunet", "pairs", "folder" or "dicom".
  const std::string& layout() const { return layout_; }
  std::size_t size() const { return entries_.size(); }
  // True when every image has an annotation.
  bool has_masks() const;

  const CohortEntry& entry(std::size_t index) const;
  const SampleInfo& info(std::size_t index) const { return entry(index).info; }

  // Reads image and mask (filled; an ellipse may stand in for an open outline,
  // see Sample::open_gap_px). DataError naming the file: unreadable, mask of
  // another size, empty mask, open outline under "strict".
  Sample load(std::size_t index) const;

  // SHA-256 (hex) over ids, metadata, file contents and the mask policy; free
  // of paths and of the cohort's name. Reads every file: keep the result.
  std::string content_hash() const;

 private:
  std::string name_;
  std::string layout_;
  std::vector<CohortEntry> entries_;
  MaskPolicy policy_;
};

// Opens the cohort in `dir`. Layouts, tried in this order:
//   table   cohort.csv names images of any format and what is known of them
//   hc18    training_set/NNN_HC.png + NNN_HC_Annotation.png and a csv of pixel
//           sizes and head circumferences (`dir` may be training_set itself)
//   nnunet  dataset.json, imagesTr, labelsTr (`dir` may be an image folder)
//   pairs   image/X.png + mask/X_Annotation.png (or mask/X.png)
//   dicom   DICOM files at any depth, masks of their names beside them
//   folder  images in `dir`, or in one folder a class; no masks
// ConfigError when `dir` is no folder, DataError when no layout fits or the
// csv lacks an image.
Cohort open_cohort(const std::string& name, const std::filesystem::path& dir,
                   const CohortConfig& config = {});

// Loads every image, warns of open outlines; throws DataError at the first that
// `load` or `check_circumference` refuses. Seconds per thousand images.
void check_cohort(const Cohort& cohort);

// Relative difference (0.01 = 1 %) of the mask's fitted circumference from the
// csv's; 0 when there is no mask, spacing or reference. DataError naming the
// image when no ellipse can be fitted.
double circumference_error(const Sample& sample);

// The largest |circumference_error| that a correctly filled mask can have.
inline constexpr double kMaxCircumferenceError = 0.02;

// DataError naming the image when the error is above that: the usual cause is
// an outline that was filled wrongly.
void check_circumference(const Sample& sample);

// Stratum of a reference head circumference: "<97", "97-255", ">255" (mm), or
// "" when unknown (0).
std::string stratum(double hc_mm);

}  // namespace sono
