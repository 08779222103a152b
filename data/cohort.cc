#include "data/cohort.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/message.h"
#include "data/frame_file.h"
#include "data/layouts/dicom.h"
#include "data/layouts/folder.h"
#include "data/layouts/frame_choice.h"
#include "data/layouts/hc18.h"
#include "data/layouts/nnunet.h"
#include "data/layouts/pairs.h"
#include "data/layouts/table.h"

namespace sono {
namespace {

std::string size_text(const cv::Mat& image) {
  return std::to_string(image.cols) + "x" + std::to_string(image.rows);
}

FilledMask load_mask(const CohortEntry& entry, const cv::Mat& image,
                     MaskPolicy policy) {
  const std::string name = entry.mask_path.string();
  const cv::Mat annotation = read_annotation(entry);
  if (annotation.size() != image.size()) {
    throw DataError(name + ": mask of " + size_text(annotation) +
                    " px for an image of " + size_text(image) +
                    " px; export both on the same grid");
  }
  FilledMask filled = fill_annotation(annotation, policy, name);
  if (cv::countNonZero(filled.mask) == 0) {
    throw DataError(name + ": empty mask; annotate the image or remove it");
  }
  return filled;
}

// Numbers as text that reads the same on every machine.
std::string exact(double value) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.17g", value);
  return text;
}

// Left out where a file is one whole image, as all were at first.
void hash_parts(Sha256& hash, const CohortEntry& entry) {
  const cv::Rect& r = entry.region;
  const bool whole = r.empty() && entry.image_frame == 0 &&
                     entry.mask_frame == 0 && entry.mask_value == 0;
  if (whole) return;
  for (int number : {entry.image_frame, entry.mask_frame, entry.mask_value, r.x,
                     r.y, r.width, r.height}) {
    hash.update(std::to_string(number) + " ");
  }
}

void hash_info(Sha256& hash, const CohortEntry& entry) {
  const SampleInfo& info = entry.info;
  for (const std::string& field :
       {info.id, info.exam, info.patient, entry.label, exact(info.spacing_x_mm),
        exact(info.spacing_y_mm), exact(info.hc_reference_mm),
        std::to_string(info.trimester)}) {
    hash.update(field);
    hash.update(std::string_view("\0", 1));
  }
  hash_parts(hash, entry);
}

}  // namespace

void CohortConfig::validate() const {
  check_choice("data.mask", mask, {"auto", "ellipse", "strict"});
  check_choice("data.burned_in", burned_in, {"refuse", "keep"});
  FrameChoice::parse(frames, "option data.frames");
}

void describe(OptionTable& table, CohortConfig& config) {
  table.add("data.mask", &config.mask, OptionKind::kResult,
            "what to do with annotations that are outlines: auto fills a "
            "closed one and fits an ellipse to an open one, ellipse fits one "
            "to every outline, strict refuses an open one");
  table.add("data.frames", &config.frames, OptionKind::kAddedResult,
            "frames of a DICOM loop or NIfTI stack that become images: one "
            "(refuse longer files), first, middle, all, annotated, or numbers "
            "from 0 such as 0,12");
  table.add("data.label", &config.label, OptionKind::kAddedResult,
            "foreground label of nnU-Net data sets; empty: the only one");
  table.add("data.burned_in", &config.burned_in, OptionKind::kAddedResult,
            "DICOM files that may hold a name in their pixels, with nothing to "
            "say where the picture is: refuse or keep");
  // Its effect, the patients' keys, is part of a cohort's content.
  table.add("data.salt_file", &config.salt_file, OptionKind::kPlace,
            "file with a secret of 16 bytes or more that DICOM patients' keys "
            "are salted with; empty: salts from the files themselves");
}

cv::Mat read_image(const CohortEntry& entry) {
  cv::Mat image = read_frame(entry.image_path, entry.image_frame);
  if (entry.region.empty()) return image;
  const cv::Rect region = entry.region & cv::Rect(0, 0, image.cols, image.rows);
  if (region.empty()) {
    throw DataError(entry.image_path.string() +
                    ": the picture's region lies outside of its " +
                    size_text(image) + " px; correct it in cohort.csv");
  }
  cv::Mat kept = cv::Mat::zeros(image.size(), image.type());
  image(region).copyTo(kept(region));
  return kept;
}

cv::Mat read_annotation(const CohortEntry& entry) {
  const cv::Mat labels = read_mask_frame(entry.mask_path, entry.mask_frame);
  if (entry.mask_value == 0) return labels;
  return labels == entry.mask_value;
}

Cohort::Cohort(std::string name, std::string layout,
               std::vector<CohortEntry> entries, MaskPolicy policy)
    : name_(std::move(name)),
      layout_(std::move(layout)),
      entries_(std::move(entries)),
      policy_(policy) {
  std::sort(entries_.begin(), entries_.end(),
            [](const CohortEntry& a, const CohortEntry& b) {
              return a.info.id < b.info.id;
            });
  for (std::size_t i = 1; i < entries_.size(); ++i) {
    if (entries_[i].info.id != entries_[i - 1].info.id) continue;
    throw DataError(entries_[i].image_path.string() + " and " +
                    entries_[i - 1].image_path.string() + " share the id " +
                    entries_[i].info.id + "; rename one of them");
  }
}

bool Cohort::has_masks() const {
  return !entries_.empty() &&
         std::none_of(entries_.begin(), entries_.end(),
                      [](const CohortEntry& e) { return e.mask_path.empty(); });
}

const CohortEntry& Cohort::entry(std::size_t index) const {
  SONO_CHECK(index < entries_.size(),
             "image " << index << " of " << entries_.size());
  return entries_[index];
}

Sample Cohort::load(std::size_t index) const {
  const CohortEntry& source = entry(index);
  Sample sample;
  static_cast<SampleInfo&>(sample) = source.info;
  sample.image = read_image(source);
  if (!source.mask_path.empty()) {
    FilledMask filled = load_mask(source, sample.image, policy_);
    sample.mask = std::move(filled.mask);
    sample.open_gap_px = filled.gap_px;
  }
  return sample;
}

std::string Cohort::content_hash() const {
  Sha256 hash;
  hash.update("cohort 1 mask policy " +
              std::to_string(static_cast<int>(policy_)));
  for (const CohortEntry& source : entries_) {
    hash_info(hash, source);
    hash.update(sha256_file(source.image_path));
    hash.update(source.mask_path.empty() ? std::string("no mask")
                                         : sha256_file(source.mask_path));
  }
  return hash.hex();
}

Cohort open_cohort(const std::string& name, const std::filesystem::path& dir,
                   const CohortConfig& config) {
  config.validate();
  if (!std::filesystem::is_directory(dir)) {
    throw ConfigError("cohort " + name + ": " + dir.string() +
                      " is not a folder; set data." + name +
                      " to the folder that holds its images");
  }
  const MaskPolicy policy = mask_policy(config.mask);
  if (auto entries = read_table_layout(dir, config)) {
    return {name, "table", *entries, policy};
  }
  if (auto entries = read_hc18(dir)) return {name, "hc18", *entries, policy};
  if (auto entries = read_nnunet(dir, config)) {
    return {name, "nnunet", *entries, policy};
  }
  if (auto entries = read_pairs(dir, config)) {
    return {name, "pairs", *entries, policy};
  }
  if (auto entries = read_dicom_layout(dir, config)) {
    return {name, "dicom", *entries, policy};
  }
  if (auto entries = read_folder(dir)) {
    return {name, "folder", *entries, policy};
  }
  throw DataError(dir.string() +
                  ": no images found; expected cohort.csv, "
                  "training_set/NNN_HC.png, nnU-Net's dataset.json, image/ "
                  "beside mask/, DICOM, or PNG, JPEG and TIFF files");
}

void check_cohort(const Cohort& cohort) {
  for (std::size_t i = 0; i < cohort.size(); ++i) {
    const Sample sample = cohort.load(i);
    if (sample.open_gap_px > 0) {
      log_warning(cohort.entry(i).mask_path.string() +
                  ": outline not closed (gap of " +
                  std::to_string(std::lround(sample.open_gap_px)) +
                  " px); an ellipse was fitted to it (data.mask=strict refuses "
                  "it)");
    }
    check_circumference(sample);
  }
}

double circumference_error(const Sample& sample) {
  if (sample.mask.empty() || sample.hc_reference_mm <= 0 ||
      sample.spacing_x_mm <= 0 || sample.spacing_y_mm <= 0) {
    return 0;
  }
  const std::optional<Ellipse> ellipse = fit_ellipse(sample.mask);
  if (!ellipse) {
    throw DataError(sample.id + ": no ellipse fits its mask; redraw the mask");
  }
  return circumference_mm(*ellipse, sample.spacing_x_mm, sample.spacing_y_mm) /
             sample.hc_reference_mm -
         1;
}

void check_circumference(const Sample& sample) {
  const double error = circumference_error(sample);
  if (std::abs(error) <= kMaxCircumferenceError) return;
  char text[200];
  std::snprintf(text, sizeof(text),
                ": the mask's circumference is %.2f mm, %+.1f %% from the "
                "csv's %.2f mm (2 %% allowed); check the mask's filling and "
                "the image's row in the csv",
                sample.hc_reference_mm * (1 + error), 100 * error,
                sample.hc_reference_mm);
  throw DataError(sample.id + text);
}

std::string stratum(double hc_mm) {
  if (hc_mm <= 0) return "";
  if (hc_mm < 97) return "<97";
  return hc_mm <= 255 ? "97-255" : ">255";
}

}  // namespace sono
