#include "data/phantom/write_cohort.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <opencv2/imgproc.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "data/image_file.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

constexpr int kOutlineWidthPx = 3;  // as in HC18's annotations

fs::path image_path(const fs::path& dir, std::uint64_t index) {
  return dir / "training_set" / (phantom_stem(index) + ".png");
}

fs::path annotation_path(const fs::path& dir, std::uint64_t index) {
  return dir / "training_set" / (phantom_stem(index) + "_Annotation.png");
}

// The closed line whose outer edge is the edge of `mask`.
cv::Mat outline_of(const cv::Mat& mask) {
  const cv::Size brush(2 * kOutlineWidthPx + 1, 2 * kOutlineWidthPx + 1);
  cv::Mat inner;
  cv::erode(mask, inner, cv::getStructuringElement(cv::MORPH_ELLIPSE, brush));
  return mask - inner;
}

std::string fingerprint(PhantomCohort cohort) {
  OptionTable table;
  describe(table, cohort.phantom);
  nlohmann::json text = table.results();
  text["annotation"] =
      cohort.annotation == AnnotationKind::kFilled ? "filled" : "outline";
  return text.dump(2) + "\n";
}

// A folder holds images of one config only: mixing would be silent otherwise.
void claim_folder(const PhantomCohort& cohort, const fs::path& dir) {
  make_directories(dir / "training_set");
  const fs::path path = dir / "phantom.json";
  const std::string mine = fingerprint(cohort);
  if (!fs::exists(path)) write_file_atomic(path, mine);
  if (read_file(path) != mine) {
    throw ConfigError(dir.string() +
                      ": holds phantoms of another config (phantom.json); give "
                      "another folder or remove this one");
  }
}

template <class... Args>
std::string print(const char* format, Args... args) {
  char text[256];
  std::snprintf(text, sizeof text, format, args...);
  return text;
}

}  // namespace

std::string phantom_stem(std::uint64_t index) {
  const PhantomId id = phantom_id(index);
  return print(id.view == 1 ? "%03llu_HC" : "%03llu_2HC",
               static_cast<unsigned long long>(id.exam));
}

void write_phantom_images(const PhantomCohort& cohort, const fs::path& dir,
                          std::uint64_t begin, std::uint64_t end) {
  cohort.phantom.validate();
  if (begin > end || end > cohort.count) {
    throw ConfigError(print("phantoms %llu..%llu are not within 0..%llu",
                            static_cast<unsigned long long>(begin),
                            static_cast<unsigned long long>(end),
                            static_cast<unsigned long long>(cohort.count)));
  }
  claim_folder(cohort, dir);
  for (std::uint64_t index = begin; index < end; ++index) {
    // The image is written last: where it is, its annotation is too.
    if (fs::exists(image_path(dir, index))) continue;
    const Phantom phantom = make_phantom(cohort.phantom, index);
    const bool filled = cohort.annotation == AnnotationKind::kFilled;
    write_png(annotation_path(dir, index),
              filled ? phantom.mask : outline_of(phantom.mask));
    write_png(image_path(dir, index), phantom.image);
  }
}

void write_phantom_tables(const PhantomCohort& cohort, const fs::path& dir) {
  std::string sizes = "filename,pixel size(mm),head circumference (mm)\r\n";
  std::string trimesters = "filename,trimester\r\n";
  for (std::uint64_t index = 0; index < cohort.count; ++index) {
    if (!fs::exists(image_path(dir, index))) {
      throw DataError(image_path(dir, index).string() +
                      ": missing; make it before the tables");
    }
    const std::string name = phantom_stem(index) + ".png";
    const Phantom truth = describe_phantom(cohort.phantom, index);
    sizes += print("%s,%.12f,%.2f\r\n", name.c_str(), truth.pixel_size_mm,
                   truth.hc_mm);
    trimesters += print("%s,%d\r\n", name.c_str(), truth.trimester);
  }
  write_file_atomic(dir / "trimester.csv", trimesters);
  write_file_atomic(dir / "training_set_pixel_size_and_HC.csv", sizes);
}

void write_phantom_cohort(const PhantomCohort& cohort, const fs::path& dir) {
  write_phantom_images(cohort, dir, 0, cohort.count);
  write_phantom_tables(cohort, dir);
}

}  // namespace sono
