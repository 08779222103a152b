#include "experiments/report/cases.h"

#include <algorithm>
#include <charconv>
#include <type_traits>

#include "core/atomic_file.h"
#include "core/error.h"
#include "data/csv.h"

namespace sono {
namespace {

std::string to_text(const std::string& value) { return value; }
std::string to_text(const std::optional<std::int64_t>& value) {
  return value ? std::to_string(*value) : "";
}
std::string to_text(const std::optional<double>& value) {
  return value ? format_double(*value) : "";
}

void from_text(const std::string& text, std::string& value) { value = text; }

template <typename Number>
void from_text(const std::string& text, std::optional<Number>& value) {
  value.reset();
  if (text.empty()) return;
  Number number{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  if (result.ec != std::errc() || result.ptr != end) {
    throw DataError("'" + text + "' is not a number");
  }
  value = number;
}

// Orders rows by the value of each identifying column in turn, numbers as
// numbers, empty first.
bool comes_before(const Case& a, const Case& b) {
  for (const CaseColumn& column : case_columns()) {
    if (is_result_column(column.name)) continue;
    const auto order = std::visit(
        [&](auto field) {
          if (a.*field < b.*field) return -1;
          return b.*field < a.*field ? 1 : 0;
        },
        column.field);
    if (order != 0) return order < 0;
  }
  return false;
}

std::string format_row(const Case& row) {
  std::string line;
  for (const CaseColumn& column : case_columns()) {
    if (!line.empty() || column.name != case_columns().front().name)
      line += ',';
    line +=
        std::visit([&](auto field) { return quote_csv(to_text(row.*field)); },
                   column.field);
  }
  return line + '\n';
}

std::string format_header() {
  std::string line;
  for (const CaseColumn& column : case_columns()) {
    if (!line.empty()) line += ',';
    line += column.name;
  }
  return line + '\n';
}

void check_same_result(const Case& a, const Case& b) {
  if (a == b) return;
  throw DataError("two different results for one case: arm " + a.arm +
                  ", cohort " + a.cohort + ", image " + a.image + ", prompt " +
                  a.prompt + ", checkpoint " + a.checkpoint_hash +
                  "; remove the results of one run and evaluate again");
}

Case parse_row(const std::vector<std::string>& fields) {
  const auto columns = case_columns();
  if (fields.size() != columns.size()) {
    throw DataError(std::to_string(fields.size()) + " fields, expected " +
                    std::to_string(columns.size()));
  }
  Case row;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::visit([&](auto field) { from_text(fields[i], row.*field); },
               columns[i].field);
  }
  return row;
}

}  // namespace

std::span<const CaseColumn> case_columns() {
#define SONO_COLUMN(name) \
  CaseColumn { #name, &Case::name }
  static const CaseColumn columns[] = {SONO_COLUMN(run_id),
                                       SONO_COLUMN(config_hash),
                                       SONO_COLUMN(recipe),
                                       SONO_COLUMN(arm),
                                       SONO_COLUMN(train_cohort),
                                       SONO_COLUMN(n_real),
                                       SONO_COLUMN(n_synthetic),
                                       SONO_COLUMN(subset_seed),
                                       SONO_COLUMN(generator_seed),
                                       SONO_COLUMN(train_seed),
                                       SONO_COLUMN(generator_hash),
                                       SONO_COLUMN(checkpoint_hash),
                                       SONO_COLUMN(updates),
                                       SONO_COLUMN(train_prompt),
                                       SONO_COLUMN(prompt),
                                       SONO_COLUMN(draw),
                                       SONO_COLUMN(jitter_px),
                                       SONO_COLUMN(x0),
                                       SONO_COLUMN(y0),
                                       SONO_COLUMN(x1),
                                       SONO_COLUMN(y1),
                                       SONO_COLUMN(cohort),
                                       SONO_COLUMN(exam),
                                       SONO_COLUMN(patient),
                                       SONO_COLUMN(stratum),
                                       SONO_COLUMN(image),
                                       SONO_COLUMN(spacing_x),
                                       SONO_COLUMN(spacing_y),
                                       SONO_COLUMN(dice),
                                       SONO_COLUMN(iou),
                                       SONO_COLUMN(hd_px),
                                       SONO_COLUMN(hd95_px),
                                       SONO_COLUMN(assd_px),
                                       SONO_COLUMN(nsd_px),
                                       SONO_COLUMN(hd_mm),
                                       SONO_COLUMN(hd95_mm),
                                       SONO_COLUMN(assd_mm),
                                       SONO_COLUMN(nsd_mm),
                                       SONO_COLUMN(hc_px),
                                       SONO_COLUMN(hc_mm),
                                       SONO_COLUMN(hc_reference_mm),
                                       SONO_COLUMN(hc_error_pct),
                                       SONO_COLUMN(hc_floor_pct),
                                       SONO_COLUMN(bpd_px),
                                       SONO_COLUMN(bpd_mm),
                                       SONO_COLUMN(bpd_reference_mm),
                                       SONO_COLUMN(ofd_px),
                                       SONO_COLUMN(ofd_mm),
                                       SONO_COLUMN(ofd_reference_mm),
                                       SONO_COLUMN(status)};
#undef SONO_COLUMN
  return columns;
}

bool is_result_column(std::string_view name) {
  const auto columns = case_columns();
  const auto first = std::ranges::find(columns, "dice", &CaseColumn::name);
  return std::ranges::find(first, columns.end(), name, &CaseColumn::name) !=
         columns.end();
}

std::string format_cases(std::span<const Case> cases) {
  std::vector<Case> sorted(cases.begin(), cases.end());
  std::ranges::sort(sorted, comes_before);
  std::string text = format_header();
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i > 0 && !comes_before(sorted[i - 1], sorted[i])) {
      check_same_result(sorted[i - 1], sorted[i]);
      continue;
    }
    text += format_row(sorted[i]);
  }
  return text;
}

std::vector<Case> parse_cases(std::string_view text, const std::string& name) {
  const std::string header = format_header();
  if (!text.starts_with(header)) {
    throw DataError(name + ": row 1: not the header of cases.csv, expected " +
                    header.substr(0, 40) + "...");
  }
  std::vector<Case> cases;
  const auto rows = parse_csv(text, name);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    try {
      cases.push_back(parse_row(rows[i]));
    } catch (const DataError& error) {
      throw DataError(name + ": row " + std::to_string(i + 1) + ": " +
                      error.what());
    }
  }
  return cases;
}

void write_cases(const std::filesystem::path& path,
                 std::span<const Case> cases) {
  write_file_atomic(path, format_cases(cases));
}

std::vector<Case> read_cases(const std::filesystem::path& path) {
  return parse_cases(read_file(path), path.string());
}

}  // namespace sono
