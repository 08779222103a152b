#pragma once
// Phantom cohorts on disk in HC18's own layout:
//   DIR/training_set/012_HC.png, 012_HC_Annotation.png, 012_2HC.png, ...
//   DIR/training_set_pixel_size_and_HC.csv
//   DIR/trimester.csv
// Any number of workers may share DIR, each with its own range of indices.

#include <cstdint>
#include <filesystem>
#include <string>

#include "data/phantom/phantom.h"

namespace sono {

enum class AnnotationKind {
  kOutline,  // a closed line on the skull's outer edge, as HC18 was released
  kFilled,
};

struct PhantomCohort {
  PhantomConfig phantom;
  std::uint64_t count = 1000;
  AnnotationKind annotation = AnnotationKind::kOutline;
};

// "005_HC" or "005_2HC": the name of image `index` without its ending.
std::string phantom_stem(std::uint64_t index);

// Writes the images begin .. end-1 that are not there yet; every file appears
// whole or not at all. ConfigError when DIR holds a cohort made by another
// config, or the range is not within 0 .. count.
void write_phantom_images(const PhantomCohort& cohort,
                          const std::filesystem::path& dir, std::uint64_t begin,
                          std::uint64_t end);

// Writes both csv files; makes no image, so any one worker does it last.
// DataError naming the first missing image.
void write_phantom_tables(const PhantomCohort& cohort,
                          const std::filesystem::path& dir);

// All images, then the tables.
void write_phantom_cohort(const PhantomCohort& cohort,
                          const std::filesystem::path& dir);

}  // namespace sono
