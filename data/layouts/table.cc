#include "data/layouts/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>

#include "core/atomic_file.h"
#include "core/error.h"
#include "data/csv.h"
#include "data/layouts/folder.h"
#include "data/layouts/image_source.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string>& known_columns() {
  static const std::vector<std::string> kColumns = {
      "file",       "mask",         "id",           "exam",
      "patient",    "label",        "trimester",    "hc_mm",
      "spacing_mm", "spacing_x_mm", "spacing_y_mm", "frames",
      "region_x0",  "region_y0",    "region_x1",    "region_y1"};
  return kColumns;
}

// One row of the table; knows its place for messages.
class TableRow {
 public:
  TableRow(const std::vector<std::string>& names,
           const std::vector<std::string>& cells, std::string where)
      : where_(std::move(where)) {
    if (cells.size() != names.size()) {
      fail("has " + std::to_string(cells.size()) + " columns, not " +
           std::to_string(names.size()));
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      cells_[names[i]] = cells[i];
    }
  }

  std::string text(const std::string& name) const {
    const auto found = cells_.find(name);
    return found == cells_.end() ? "" : found->second;
  }

  // 0 when the cell is empty.
  double positive(const std::string& name) const {
    const std::string cell = text(name);
    if (cell.empty()) return 0;
    const double value = number(name);
    if (value <= 0) fail(name + " '" + cell + "' is not above 0");
    return value;
  }

  double number(const std::string& name) const {
    const std::string cell = text(name);
    double value = 0;
    const char* end = cell.data() + cell.size();
    const auto [stop, error] = std::from_chars(cell.data(), end, value);
    if (error != std::errc() || stop != end || !std::isfinite(value)) {
      fail(name + " '" + cell + "' is not a number");
    }
    return value;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(where_ + " " + what + "; correct the row");
  }

 private:
  std::string where_;
  std::map<std::string, std::string> cells_;
};

std::vector<std::string> read_names(const std::vector<std::string>& row,
                                    const fs::path& csv) {
  std::vector<std::string> names = row;
  constexpr std::string_view kMark = "\xef\xbb\xbf";  // of spreadsheets
  if (!names.empty() && names[0].starts_with(kMark)) names[0].erase(0, 3);
  for (const std::string& name : names) {
    const auto& known = known_columns();
    if (std::count(known.begin(), known.end(), name)) continue;
    throw DataError(csv.string() + ": unknown column '" + name +
                    "'; the nearest known one is " + nearest_name(name, known));
  }
  if (std::count(names.begin(), names.end(), "file") != 1) {
    throw DataError(csv.string() +
                    ": its first row must name one column 'file'");
  }
  return names;
}

void read_spacing(const TableRow& row, SampleInfo& info) {
  const double both = row.positive("spacing_mm");
  info.spacing_x_mm = both > 0 ? both : row.positive("spacing_x_mm");
  info.spacing_y_mm = both > 0 ? both : row.positive("spacing_y_mm");
  if ((info.spacing_x_mm > 0) != (info.spacing_y_mm > 0)) {
    row.fail("gives the spacing of one axis only");
  }
}

cv::Rect read_region(const TableRow& row) {
  constexpr const char* kCorners[] = {"region_x0", "region_y0", "region_x1",
                                      "region_y1"};
  int corner[4] = {};
  int given = 0;
  for (int i = 0; i < 4; ++i) {
    if (row.text(kCorners[i]).empty()) continue;
    ++given;
    corner[i] = static_cast<int>(std::clamp(row.number(kCorners[i]), 0.0, 1e6));
  }
  if (given == 0) return {};
  if (given < 4 || corner[2] < corner[0] || corner[3] < corner[1]) {
    row.fail("needs all four of region_x0, _y0, _x1, _y1, in order");
  }
  return {corner[0], corner[1], corner[2] - corner[0] + 1,
          corner[3] - corner[1] + 1};
}

ImageSource read_source(const TableRow& row, const fs::path& dir) {
  ImageSource source;
  if (row.text("file").empty()) row.fail("names no file");
  source.image = dir / row.text("file");
  source.info.id = row.text("id");
  source.info.exam = row.text("exam");
  source.info.patient = row.text("patient");
  if (source.info.patient.empty()) {
    source.info.patient = patient_of(stem_of(source.image));
  }
  source.info.hc_reference_mm = row.positive("hc_mm");
  source.info.trimester = static_cast<int>(row.positive("trimester"));
  if (source.info.trimester > 3) row.fail("has no trimester of 1, 2 or 3");
  source.label = row.text("label");
  source.frames = row.text("frames");
  source.region = read_region(row);
  read_spacing(row, source.info);
  const fs::path beside = source.image.parent_path();
  source.mask_folders = {beside, beside / "mask", beside / "masks"};
  if (!row.text("mask").empty()) source.mask = dir / row.text("mask");
  return source;
}

}  // namespace

std::optional<std::vector<CohortEntry>> read_table_layout(
    const fs::path& dir, const CohortConfig& config) {
  const fs::path csv = dir / kCohortTable;
  if (!fs::is_regular_file(csv)) return std::nullopt;
  const auto rows = parse_csv(read_file(csv), csv.string());
  if (rows.size() < 2) {
    throw DataError(csv.string() + ": no rows; list one image a row");
  }
  const auto names = read_names(rows.front(), csv);
  std::vector<ImageSource> sources;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (rows[i].size() == 1 && rows[i][0].empty()) continue;  // empty line
    const TableRow row(names, rows[i],
                       csv.string() + ": row " + std::to_string(i + 1));
    sources.push_back(read_source(row, dir));
  }
  return make_entries(std::move(sources), config);
}

}  // namespace sono
