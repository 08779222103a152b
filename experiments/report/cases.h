#pragma once
// cases.csv: one row a scored image, prompt and draw. All that the summary and
// the report say is computed from it.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sono {

// One row. Members stand in the order of the columns and carry their names; an
// empty string or optional is an empty field: unknown or not applicable.
struct Case {
  std::string run_id;
  std::string config_hash;
  std::string recipe;
  std::string arm;
  std::string train_cohort;
  std::optional<std::int64_t> n_real;       // real training images
  std::optional<std::int64_t> n_synthetic;  // synthetic training images
  std::optional<std::int64_t> subset_seed;
  std::optional<std::int64_t> generator_seed;
  std::optional<std::int64_t> train_seed;
  std::string generator_hash;
  std::string checkpoint_hash;
  std::optional<std::int64_t> updates;  // optimiser steps of the segmenter
  std::string train_prompt;
  std::string prompt;                // gt-box, frame, self, detector
  std::optional<std::int64_t> draw;  // which of the jittered boxes
  std::optional<double> jitter_px;   // largest jitter a side, in the 256 frame
  std::optional<double> x0, y0, x1,
      y1;  // the prompt box, px on the native grid
  std::string cohort;
  std::string exam;
  std::string patient;
  std::string stratum;
  std::string image;
  std::optional<double> spacing_x, spacing_y;  // mm per px
  std::optional<double> dice, iou;             // 0 .. 1
  std::optional<double> hd_px, hd95_px, assd_px;
  std::optional<double> nsd_px;  // 0 .. 1, at the tolerance in px
  std::optional<double> hd_mm, hd95_mm, assd_mm;
  std::optional<double> nsd_mm;        // 0 .. 1, at the tolerance in mm
  std::optional<double> hc_px, hc_mm;  // circumference of the prediction
  std::optional<double> hc_reference_mm;
  std::optional<double> hc_error_pct;  // signed, of the reference
  // What the reference mask's own ellipse is off the csv's circumference,
  // signed; empty where there is no csv.
  std::optional<double> hc_floor_pct;
  std::optional<double> bpd_px, bpd_mm, bpd_reference_mm;
  std::optional<double> ofd_px, ofd_mm, ofd_reference_mm;
  std::string status;  // see score.h

  bool operator==(const Case&) const = default;
};

// A column's name and where its value lives in a Case.
struct CaseColumn {
  std::string_view name;
  std::variant<std::string Case::*, std::optional<std::int64_t> Case::*,
               std::optional<double> Case::*>
      field;
};

// The 50 columns in file order.
std::span<const CaseColumn> case_columns();
// Whether the column is a result; the others say which case the row is about.
bool is_result_column(std::string_view name);

// The file's text, RFC 4180 with line feeds, header first. Rows are sorted by
// what identifies them, so the bytes do not depend on the order of arrival;
// equal rows are written once. Throws DataError when two rows are results for
// the same case and differ.
std::string format_cases(std::span<const Case> cases);

// The rows of a file's text; `name` is for messages. Throws DataError naming
// the row when the header is another one or a field cannot be read.
std::vector<Case> parse_cases(std::string_view text, const std::string& name);

// The same through files, written whole or not at all.
void write_cases(const std::filesystem::path& path,
                 std::span<const Case> cases);
std::vector<Case> read_cases(const std::filesystem::path& path);

}  // namespace sono
