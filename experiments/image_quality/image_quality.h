#pragma once
// The quality of a set of synthetic images beside real ones, as
// docs/evaluation.md has it: kernel distances in several feature spaces with
// intervals, the same between two halves of the real images, nearest-neighbour
// measures, and the search for copies.

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "experiments/image_quality/distribution_distance.h"
#include "experiments/image_quality/feature_extractor.h"
#include "experiments/image_quality/memorization.h"

namespace sono {

using Extractors = std::vector<std::unique_ptr<FeatureExtractor>>;

// CV_8UC1 images that the generator never saw, one exam's name an image.
struct RealImages {
  std::vector<cv::Mat> images;
  std::vector<std::string> exams;
};

struct QualityConfig {
  bool fid_with_few = false;        // see frechet_distance
  int subsets = 100;                // of the usual kernel distance
  std::int64_t subset_size = 1000;  // at most; fewer where images are fewer
  std::uint64_t seed = 0;           // of subsets and halves
  int neighbours = 5;               // of precision, recall, density, coverage
  MemorizationConfig memorization;
  // Called before each image; may throw to leave. May be empty.
  std::function<void()> before_image{};

  void validate() const;  // ConfigError naming the option
};

// One set of images in one space. Reuse it for every comparison.
at::Tensor features_of(const std::vector<cv::Mat>& images,
                       FeatureExtractor& extractor,
                       const QualityConfig& config);

// {"dimensions", "kid", "kid_low", "kid_high", "kid_subsets", "kid_subsets_sd",
// "subset_size", "fid" (or null), "precision", "recall", "density",
// "coverage"}; what cannot be had with so few images is null.
nlohmann::json compare_sets(const at::Tensor& real,
                            const std::vector<std::string>& real_exams,
                            const at::Tensor& synthetic,
                            const QualityConfig& config);

// The same between two halves of the real images, cut by exam: what the
// distance of like sets comes out as. null under six exams.
nlohmann::json compare_halves(const at::Tensor& real,
                              const std::vector<std::string>& real_exams,
                              const QualityConfig& config);

// {"training", "heldout", "flagged", "flagged_fraction", "median_ratio",
// "nearer_probability", "distance_limit", "ratio_limit", "nearest": [...]}
nlohmann::json describe_copies(const MemorizationReport& report,
                               std::size_t num_training);

// Sentences and a table for a terminal, 110 columns of ASCII: `spaces` is
// {space: {"synthetic": compare_sets, "halves": compare_halves}}.
std::string quality_text(const nlohmann::json& spaces,
                         const nlohmann::json& copies);
// What a reader must know of these numbers; shown wherever they are.
std::vector<std::string> quality_cautions();

}  // namespace sono
