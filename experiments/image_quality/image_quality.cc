#include "experiments/image_quality/image_quality.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "core/check.h"
#include "core/option.h"
#include "core/random.h"

namespace sono {
namespace {

using nlohmann::json;

constexpr std::size_t kLeastExams = 3;

std::size_t count_exams(const std::vector<std::string>& exams) {
  return std::set<std::string>(exams.begin(), exams.end()).size();
}

void add_kernel_distances(const at::Tensor& real,
                          const std::vector<std::string>& exams,
                          const at::Tensor& synthetic,
                          const QualityConfig& config, json& result) {
  const std::int64_t fewest = std::min(real.size(0), synthetic.size(0));
  for (const char* key : {"kid", "kid_low", "kid_high", "kid_subsets",
                          "kid_subsets_sd", "subset_size"}) {
    result[key] = nullptr;
  }
  if (fewest < 2) return;
  result["kid"] = kernel_distance(real, synthetic);
  if (fewest >= 3 && count_exams(exams) >= kLeastExams) {
    const KernelEstimate whole =
        kernel_distance_interval(real, exams, synthetic);
    result["kid_low"] = whole.low;
    result["kid_high"] = whole.high;
  }
  // Subsets as large as a set would all be the same.
  const std::int64_t size = std::min(config.subset_size, fewest / 2);
  if (size < 2 || config.subsets < 1) return;
  const SubsetDistance subsets = kernel_distance_of_subsets(
      real, synthetic,
      draw_subsets(real.size(0), synthetic.size(0), size, config.subsets,
                   config.seed));
  result["kid_subsets"] = subsets.mean;
  result["kid_subsets_sd"] = subsets.deviation;
  result["subset_size"] = size;
}

void add_manifold(const at::Tensor& real, const at::Tensor& synthetic,
                  int neighbours, json& result) {
  const bool enough = std::min(real.size(0), synthetic.size(0)) > neighbours;
  Manifold measures;
  if (enough) measures = manifold_measures(real, synthetic, neighbours);
  const auto put = [&](const char* key, double value) {
    result[key] = enough ? json(value) : json(nullptr);
  };
  put("precision", measures.precision);
  put("recall", measures.recall);
  put("density", measures.density);
  put("coverage", measures.coverage);
}

std::string number(const json& value, const char* format) {
  if (!value.is_number()) return "-";
  char text[32];
  std::snprintf(text, sizeof(text), format, value.get<double>());
  return text;
}

using TableRow = std::array<std::string, 9>;

std::string table_line(const TableRow& cells) {
  char text[200];
  std::snprintf(text, sizeof(text),
                "  %-14.14s %-16s %9s %-20s %8s %7s %7s %7s %8s\n",
                cells[0].c_str(), cells[1].c_str(), cells[2].c_str(),
                cells[3].c_str(), cells[4].c_str(), cells[5].c_str(),
                cells[6].c_str(), cells[7].c_str(), cells[8].c_str());
  return text;
}

std::string quality_line(const std::string& space, const char* what,
                         const json& row) {
  const std::string interval =
      row["kid_low"].is_number() ? "[" + number(row["kid_low"], "%.2f") + ", " +
                                       number(row["kid_high"], "%.2f") + "]"
                                 : "";
  return table_line(
      {space, what, number(row["kid"], "%.2f"), interval,
       number(row["fid"], "%.2f"), number(row["precision"], "%.2f"),
       number(row["recall"], "%.2f"), number(row["density"], "%.2f"),
       number(row["coverage"], "%.2f")});
}

// Kernel distances are small numbers; tables show them times 1,000.
json scaled(json row) {
  for (const char* key : {"kid", "kid_low", "kid_high"}) {
    if (row[key].is_number()) row[key] = row[key].get<double>() * 1000;
  }
  return row;
}

}  // namespace

void QualityConfig::validate() const {
  check_range("quality.subsets", subsets, 0, 100000);
  check_range("quality.subset_size", static_cast<double>(subset_size), 2, 1e6);
  check_range("quality.neighbours", neighbours, 1, 1000);
  memorization.validate();
}

at::Tensor features_of(const std::vector<cv::Mat>& images,
                       FeatureExtractor& extractor,
                       const QualityConfig& config) {
  SONO_CHECK(!images.empty(), "no images");
  std::vector<at::Tensor> rows;
  for (const cv::Mat& image : images) {
    if (config.before_image) config.before_image();
    rows.push_back(extractor.features(image));
  }
  return at::stack(rows);
}

json compare_sets(const at::Tensor& real,
                  const std::vector<std::string>& real_exams,
                  const at::Tensor& synthetic, const QualityConfig& config) {
  json result = {{"dimensions", real.size(1)},
                 {"real", real.size(0)},
                 {"synthetic", synthetic.size(0)}};
  add_kernel_distances(real, real_exams, synthetic, config, result);
  const std::int64_t fewest = std::min(real.size(0), synthetic.size(0));
  const bool fid = fewest > real.size(1) || (config.fid_with_few && fewest > 1);
  result["fid"] = nullptr;
  if (fid) result["fid"] = frechet_distance(real, synthetic, true);
  add_manifold(real, synthetic, config.neighbours, result);
  return result;
}

json compare_halves(const at::Tensor& real,
                    const std::vector<std::string>& real_exams,
                    const QualityConfig& config) {
  const std::size_t num_exams = count_exams(real_exams);
  if (num_exams < 2 * kLeastExams) return nullptr;
  std::map<std::string, std::uint64_t> rank;
  for (const auto& exam : real_exams) rank[exam] = 0;
  std::uint64_t next = 0;
  for (auto& [exam, place] : rank) {
    place = permuted_index(next++, num_exams,
                           make_key("quality.halves", config.seed));
  }
  std::vector<std::int64_t> first, second;
  std::vector<std::string> first_exams;
  for (std::size_t i = 0; i < real_exams.size(); ++i) {
    const bool in_first = rank.at(real_exams[i]) < num_exams / 2;
    (in_first ? first : second).push_back(static_cast<std::int64_t>(i));
    if (in_first) first_exams.push_back(real_exams[i]);
  }
  return compare_sets(real.index_select(0, at::tensor(first)), first_exams,
                      real.index_select(0, at::tensor(second)), config);
}

json describe_copies(const MemorizationReport& report,
                     std::size_t num_training) {
  json nearest = json::array(), flagged = json::array();
  for (std::size_t i = 0; i < report.synthetic.size(); ++i) {
    const auto& n = report.synthetic[i];
    nearest.push_back({{"distance", n.distance},
                       {"ratio", n.ratio()},
                       {"training", n.image}});
    if (report.flagged[i]) flagged.push_back(i);
  }
  return {{"training", num_training},
          {"heldout", report.num_heldout},
          {"synthetic", report.synthetic.size()},
          {"flagged", flagged},
          {"flagged_fraction", report.flagged_fraction},
          {"median_ratio", report.median_ratio},
          {"nearer_probability", report.nearer_probability},
          {"distance_limit", report.distance_limit},
          {"ratio_limit", report.ratio_limit},
          {"nearest", nearest}};
}

std::string quality_text(const json& spaces, const json& copies) {
  std::string text =
      table_line({"space", "sets", "KID x1000", "95 % interval", "FID", "prec.",
                  "recall", "density", "coverage"});
  for (const auto& [space, row] : spaces.items()) {
    text += quality_line(space, "synthetic : real", scaled(row["synthetic"]));
    if (!row["halves"].is_null()) {
      text += quality_line(space, "real : real", scaled(row["halves"]));
    }
  }
  if (copies.is_null()) return text;
  text += "\nCopies: " + std::to_string(copies["flagged"].size()) + " of " +
          copies["synthetic"].dump() + " flagged; nearest training image at " +
          number(copies["median_ratio"], "%.2f") +
          " of the held-out heads' median distance;\na synthetic image is "
          "nearer than a held-out head with probability " +
          number(copies["nearer_probability"], "%.2f") + " (alike: 0.50).\n";
  return text;
}

std::vector<std::string> quality_cautions() {
  return {
      "The space lite-medsam is the segmenter's own encoder: a small distance "
      "there alone is circular.",
      "Distances hold at the generator's size: real images went through it "
      "too, so what that size loses does not count.",
      "FID is left out where there are no more images than dimensions: it "
      "would "
      "measure the number of images.",
      "None of these numbers says whether the images help a segmenter; that is "
      "what the tables of Dice are for."};
}

}  // namespace sono
