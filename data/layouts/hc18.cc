#include "data/layouts/hc18.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "core/atomic_file.h"
#include "core/error.h"
#include "data/layouts/folder.h"
#include "data/layouts/image_source.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// "014" from "014_2HC" or "014_HC"; "" when the stem is not HC18's.
std::string exam_of(std::string_view stem) {
  const std::size_t bar = stem.rfind('_');
  if (bar == std::string_view::npos || bar == 0) return "";
  std::string_view tail = stem.substr(bar + 1);
  while (!tail.empty() && std::isdigit(static_cast<unsigned char>(tail[0]))) {
    tail.remove_prefix(1);
  }
  return tail == "HC" ? std::string(stem.substr(0, bar)) : "";
}

std::vector<CohortEntry> find_images(const fs::path& dir) {
  std::vector<CohortEntry> entries;
  for (const fs::path& path : image_files(dir)) {
    CohortEntry entry;
    entry.info.id = path.stem().string();
    entry.info.exam = exam_of(entry.info.id);
    if (entry.info.exam.empty()) continue;
    entry.image_path = path;
    const fs::path mask = dir / (entry.info.id + "_Annotation.png");
    if (fs::is_regular_file(mask)) entry.mask_path = mask;
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string trimmed(std::string_view text) {
  const auto blank = [](char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '"';
  };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return std::string(text);
}

using Row = std::vector<std::string>;

// The rows of a csv by file name, header left out. DataError names the row.
std::map<std::string, Row> read_table(const fs::path& path,
                                      std::size_t min_columns) {
  std::istringstream lines(read_file(path));
  std::map<std::string, Row> rows;
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    Row row;
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, ',');) {
      row.push_back(trimmed(cell));
    }
    if (number == 1 || (row.size() <= 1 && trimmed(line).empty())) continue;
    const std::string where = path.string() + ": row " + std::to_string(number);
    if (row.size() < min_columns) {
      throw DataError(where + " has " + std::to_string(row.size()) +
                      " columns, not " + std::to_string(min_columns));
    }
    if (!rows.emplace(row[0], row).second) {
      throw DataError(where + " names " + row[0] + " a second time");
    }
  }
  return rows;
}

double positive_number(const std::string& text, const std::string& what,
                       const std::string& file, const fs::path& csv) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || !std::isfinite(value) ||
      value <= 0) {
    throw DataError(csv.string() + ": row of " + file + ": " + what + " '" +
                    text + "' is not a positive number");
  }
  return value;
}

// The csv in `dir`, else in its parent, whose name ends in `ending`; of several
// the one that starts with the folder's name, as the release's files do.
fs::path find_csv(const fs::path& dir, std::string_view ending) {
  const std::string own = dir.filename().string();
  for (const fs::path& place : {dir, dir.parent_path()}) {
    std::vector<fs::path> found;
    std::error_code unreadable;
    for (const auto& item : fs::directory_iterator(place, unreadable)) {
      const std::string name = item.path().filename().string();
      if (name.starts_with(own) && name.ends_with(ending)) return item.path();
      if (name.ends_with(ending)) found.push_back(item.path());
    }
    if (!found.empty()) return *std::min_element(found.begin(), found.end());
  }
  return {};
}

void add_sizes(const fs::path& dir, std::vector<CohortEntry>& entries) {
  fs::path csv = find_csv(dir, "_pixel_size_and_HC.csv");
  if (csv.empty()) csv = find_csv(dir, "_pixel_size.csv");
  if (csv.empty()) {
    throw DataError(dir.string() +
                    ": no *_pixel_size_and_HC.csv in or beside it; put HC18's "
                    "training_set_pixel_size_and_HC.csv there");
  }
  const auto rows = read_table(csv, 2);
  for (CohortEntry& entry : entries) {
    const std::string file = entry.image_path.filename().string();
    const auto found = rows.find(file);
    if (found == rows.end()) {
      throw DataError(csv.string() + ": no row for " + file +
                      "; add it or remove the image");
    }
    const Row& row = found->second;
    const double spacing = positive_number(row[1], "pixel size", file, csv);
    entry.info.spacing_x_mm = spacing;
    entry.info.spacing_y_mm = spacing;
    if (row.size() > 2) {
      entry.info.hc_reference_mm =
          positive_number(row[2], "head circumference", file, csv);
    }
  }
}

void add_trimesters(const fs::path& dir, std::vector<CohortEntry>& entries) {
  const fs::path csv = find_csv(dir, "trimester.csv");
  if (csv.empty()) return;
  const auto rows = read_table(csv, 2);
  for (CohortEntry& entry : entries) {
    const auto found = rows.find(entry.image_path.filename().string());
    if (found == rows.end()) continue;
    const std::string& text = found->second[1];
    if (text != "1" && text != "2" && text != "3") {
      throw DataError(csv.string() + ": row of " + found->first +
                      ": trimester '" + text + "' is not 1, 2 or 3");
    }
    entry.info.trimester = text[0] - '0';
  }
}

}  // namespace

std::optional<std::vector<CohortEntry>> read_hc18(const fs::path& dir) {
  for (const char* folder : {"training_set", "", "test_set"}) {
    const fs::path place = *folder == '\0' ? dir : dir / folder;
    if (!fs::is_directory(place)) continue;
    // "." and "set/" have no name of their own; the csv search needs one.
    const fs::path resolved = fs::canonical(place);
    std::vector<CohortEntry> entries = find_images(resolved);
    if (entries.empty()) continue;
    // An unannotated release (HC18's test set) is fine; a hole is not.
    check_all_or_no_masks(entries);
    add_sizes(resolved, entries);
    add_trimesters(resolved, entries);
    return entries;
  }
  return std::nullopt;
}

}  // namespace sono
