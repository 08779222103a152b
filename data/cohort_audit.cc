#include "data/cohort_audit.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <vector>

#include "core/error.h"
#include "core/hash.h"

namespace sono {
namespace {

using Json = nlohmann::json;
using FilesByHash = std::map<std::string, std::vector<std::string>>;

std::string size_text(const cv::Mat& image) {
  return std::to_string(image.cols) + "x" + std::to_string(image.rows);
}

std::string file_name(const std::filesystem::path& path) {
  return path.filename().string();
}

std::string pixel_hash(const cv::Mat& image) {
  Sha256 hash;
  hash.update(size_text(image));
  for (int y = 0; y < image.rows; ++y) hash.update(image.ptr(y), image.cols);
  return hash.hex();
}

Json range_of(const std::vector<double>& values) {
  if (values.empty()) return nullptr;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {{"min", *low}, {"max", *high}};
}

Json spread_of(const std::vector<double>& values) {
  if (values.empty()) return nullptr;
  double sum = 0, sum2 = 0, max_abs = 0;
  for (double value : values) {
    sum += value;
    sum2 += value * value;
    max_abs = std::max(max_abs, std::abs(value));
  }
  const double n = static_cast<double>(values.size());
  const double variance = std::max(0.0, sum2 / n - sum * sum / n / n);
  return {{"mean", sum / n}, {"sd", std::sqrt(variance)}, {"max_abs", max_abs}};
}

class Audit {
 public:
  explicit Audit(const Cohort& cohort) : cohort_(cohort) {}

  Json run() {
    for (std::size_t i = 0; i < cohort_.size(); ++i) visit(cohort_.entry(i));
    report_duplicates();
    return {{"name", cohort_.name()},
            {"layout", cohort_.layout()},
            {"images", cohort_.size()},
            {"masks", num_masks_},
            {"exams", exams_.size()},
            {"patients", patients_.size()},
            {"labels", labels_},
            {"strata", strata_},
            {"trimesters", trimesters_},
            {"mask_kinds", mask_kinds_},
            {"sizes", sizes_},
            {"spacing_mm", range_of(spacings_)},
            {"hc_mm", range_of(circumferences_)},
            {"circumference_error", spread_of(errors_)},
            {"problems", problems_}};
  }

 private:
  void problem(const std::string& kind, std::vector<std::string> files,
               const std::string& text) {
    problems_.push_back({{"kind", kind}, {"files", files}, {"text", text}});
  }

  void visit(const CohortEntry& entry) {
    count_info(entry);
    const std::optional<cv::Mat> image =
        read(entry.image_path, [&] { return read_image(entry); });
    if (image) remember(entry, *image);
    if (image) ++sizes_[size_text(*image)];
    if (entry.mask_path.empty()) return;
    ++num_masks_;
    const std::optional<cv::Mat> annotation =
        read(entry.mask_path, [&] { return read_annotation(entry); });
    if (!annotation) return;
    if (image && annotation->size() != image->size()) {
      problem("mask_size", {file_name(entry.mask_path)},
              "mask of " + size_text(*annotation) + " px for an image of " +
                  size_text(*image) + " px");
    }
    visit_mask(entry, *annotation);
  }

  void count_info(const CohortEntry& entry) {
    const SampleInfo& info = entry.info;
    exams_.insert(info.exam);
    if (!info.patient.empty()) patients_.insert(info.patient);
    if (!entry.label.empty()) ++labels_[entry.label];
    if (info.trimester > 0) ++trimesters_[std::to_string(info.trimester)];
    for (double spacing : {info.spacing_x_mm, info.spacing_y_mm}) {
      if (spacing > 0) spacings_.push_back(spacing);
    }
    if (info.hc_reference_mm > 0) {
      circumferences_.push_back(info.hc_reference_mm);
      ++strata_[stratum(info.hc_reference_mm)];
    }
  }

  // The pixels, or nothing and a problem.
  template <class Reader>
  std::optional<cv::Mat> read(const std::filesystem::path& path,
                              Reader reader) {
    try {
      return reader();
    } catch (const DataError& error) {
      problem("unreadable", {file_name(path)}, error.what());
      return std::nullopt;
    }
  }

  // For the search for duplicates; the frames of a file share its bytes.
  void remember(const CohortEntry& entry, const cv::Mat& image) {
    const std::string name = file_name(entry.image_path);
    const std::string frame = std::to_string(entry.image_frame);
    files_by_bytes_[sha256_file(entry.image_path) + " " + frame].push_back(
        name);
    files_by_pixels_[pixel_hash(image)].push_back(name);
  }

  void visit_mask(const CohortEntry& entry, const cv::Mat& annotation) {
    const std::string file = file_name(entry.mask_path);
    try {
      const FilledMask filled =
          fill_annotation(annotation, MaskPolicy::kAuto, file);
      ++mask_kinds_[std::string(mask_kind_name(filled.kind))];
      if (filled.kind == MaskKind::kEmpty) {
        problem("empty_mask", {file}, "no foreground");
        return;
      }
      if (filled.kind == MaskKind::kOpenOutline) {
        problem("open_outline", {file},
                "outline not closed (gap of " +
                    std::to_string(std::lround(filled.gap_px)) + " px)");
      }
      check_size_of_head(entry, filled.mask);
    } catch (const DataError& error) {
      problem("open_outline", {file}, error.what());
    }
  }

  void check_size_of_head(const CohortEntry& entry, const cv::Mat& mask) {
    Sample sample;
    static_cast<SampleInfo&>(sample) = entry.info;
    sample.mask = mask;
    try {
      check_circumference(sample);
    } catch (const DataError& error) {
      problem("circumference", {file_name(entry.mask_path)}, error.what());
    }
    if (entry.info.hc_reference_mm > 0 && fit_ellipse(mask)) {
      errors_.push_back(circumference_error(sample));
    }
  }

  void report_duplicates() {
    std::set<std::vector<std::string>> reported;
    for (const auto& [hash, files] : files_by_bytes_) {
      if (files.size() < 2) continue;
      problem("duplicate_file", files, "the same bytes");
      reported.insert(files);
    }
    for (const auto& [hash, files] : files_by_pixels_) {
      if (files.size() < 2 || reported.count(files) > 0) continue;
      problem("duplicate_pixels", files, "the same pixels in other files");
    }
  }

  const Cohort& cohort_;
  std::size_t num_masks_ = 0;
  std::set<std::string> exams_, patients_;
  std::map<std::string, int> labels_, strata_, trimesters_, mask_kinds_, sizes_;
  std::vector<double> spacings_, circumferences_, errors_;
  FilesByHash files_by_bytes_, files_by_pixels_;
  Json problems_ = Json::array();
};

std::string counts_text(const Json& counts) {
  std::string text;
  for (const auto& [value, count] : counts.items()) {
    if (!text.empty()) text += ", ";
    text += value + ": " + std::to_string(count.get<int>());
  }
  return text;
}

std::string range_text(const Json& range, const char* format) {
  char text[80];
  std::snprintf(text, sizeof(text), format, range.at("min").get<double>(),
                range.at("max").get<double>());
  return text;
}

std::string error_text(const Json& spread) {
  char text[120];
  std::snprintf(text, sizeof(text), "mean %+.2f %%, sd %.2f, largest %.2f",
                100 * spread.at("mean").get<double>(),
                100 * spread.at("sd").get<double>(),
                100 * spread.at("max_abs").get<double>());
  return text;
}

}  // namespace

Json audit_cohort(const Cohort& cohort) { return Audit(cohort).run(); }

std::string audit_text(const Json& audit) {
  std::ostringstream out;
  const auto line = [&out](const char* key, const std::string& value) {
    if (!value.empty()) out << "  " << key << value << "\n";
  };
  out << audit.at("name").get<std::string>() << " (layout "
      << audit.at("layout").get<std::string>() << "): " << audit.at("images")
      << " images, " << audit.at("masks") << " masks, " << audit.at("exams")
      << " exams, " << audit.at("patients") << " known patients\n";
  line("sizes, px          ", counts_text(audit.at("sizes")));
  line("classes            ", counts_text(audit.at("labels")));
  line("annotations        ", counts_text(audit.at("mask_kinds")));
  line("trimesters         ", counts_text(audit.at("trimesters")));
  line("HC strata, mm      ", counts_text(audit.at("strata")));
  if (!audit.at("spacing_mm").is_null()) {
    line("pixel size, mm     ",
         range_text(audit.at("spacing_mm"), "%.4f to %.4f"));
  }
  if (!audit.at("hc_mm").is_null()) {
    line("reference HC, mm   ", range_text(audit.at("hc_mm"), "%.1f to %.1f"));
  }
  if (!audit.at("circumference_error").is_null()) {
    line("mask against csv   ", error_text(audit.at("circumference_error")));
  }
  const Json& problems = audit.at("problems");
  out << "  problems           " << problems.size() << "\n";
  for (const Json& problem : problems) {
    out << "    " << problem.at("kind").get<std::string>() << ": ";
    for (const Json& file : problem.at("files")) {
      out << file.get<std::string>() << " ";
    }
    out << "(" << problem.at("text").get<std::string>() << ")\n";
  }
  return out.str();
}

}  // namespace sono
