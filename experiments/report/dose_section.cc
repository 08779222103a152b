#include "experiments/report/dose_section.h"

#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "experiments/report/comparisons.h"
#include "experiments/report/text.h"

namespace sono {
namespace {

using nlohmann::json;

constexpr char kNone[] = "none";

void add_rows(std::span<const Case> cases, const json& n_synthetic,
              const std::set<std::string>& arms, const IntervalOptions& options,
              json& rows) {
  for (const auto& [key, cell] : collect_cells(cases)) {
    const auto dice = cell.metrics.find("dice");
    if (!arms.contains(key.arm) || dice == cell.metrics.end()) continue;
    json row = to_json(key);
    row["n_synthetic"] = n_synthetic;
    row["dice"] = to_json(estimate_mean(dice->second, options));
    rows.push_back(std::move(row));
  }
}

// One table: estimates by N real and by column. "none" is 0 synthetic images,
// null (the whole pool) the last column.
struct Table {
  std::map<std::int64_t, std::map<std::int64_t, json>> cells;
  static constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();

  void add(const json& row) {
    const json& count = row["n_synthetic"];
    const std::int64_t column =
        count.is_null() ? kAll : count.get<std::int64_t>();
    cells[row["n_real"].get<std::int64_t>()][column] = row["dice"];
  }
};

std::string column_title(std::int64_t column) {
  if (column == Table::kAll) return "whole pool";
  return column == 0 ? "none" : std::to_string(column);
}

std::string render_table(const std::string& title, const Table& table) {
  std::set<std::int64_t> columns;
  for (const auto& [n_real, cells] : table.cells) {
    for (const auto& [column, dice] : cells) columns.insert(column);
  }
  std::string text = "<h3>" + escape_html(title) +
                     "</h3>\n<div class=\"scroll\"><table><thead><tr>"
                     "<th>real images</th>";
  for (std::int64_t column : columns) {
    text += "<th>" + column_title(column) + "</th>";
  }
  text += "</tr></thead><tbody>\n";
  for (const auto& [n_real, cells] : table.cells) {
    text += "<tr><th scope=\"row\">" + std::to_string(n_real) + "</th>";
    for (std::int64_t column : columns) {
      const auto found = cells.find(column);
      text += found == cells.end()
                  ? "<td>&ndash;</td>"
                  : "<td><b>" +
                        fixed(found->second["mean"].get<double>() * 100, 1) +
                        "</b> " + show_interval(found->second, 100, 1) +
                        "</td>";
    }
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

}  // namespace

json summarize_dose(std::span<const Case> cases, std::span<const Case> dose,
                    const IntervalOptions& options) {
  std::map<std::int64_t, std::vector<Case>> by_count;
  std::set<std::string> arms;
  for (const Case& row : dose) {
    by_count[row.n_synthetic.value_or(0)].push_back(row);
    arms.insert(row.arm);
  }
  json rows = json::array();
  add_rows(cases, 0, {kNone}, options, rows);
  for (const auto& [count, inside] : by_count) {
    add_rows(inside, count, arms, options, rows);
  }
  add_rows(cases, nullptr, arms, options, rows);
  return rows;
}

std::string render_dose(const json& summary) {
  if (!summary.contains("dose") || !summary["endpoint"].contains("prompt")) {
    return "";
  }
  const json& prompt = summary["endpoint"]["prompt"];
  // By cohort of test and of training, then by arm.
  std::map<std::pair<std::string, std::string>, std::vector<json>> none;
  std::map<std::pair<std::string, std::string>, std::map<std::string, Table>>
      tables;
  for (const json& row : summary["dose"]) {
    if (row["prompt"] != prompt || row["n_real"].is_null()) continue;
    const std::pair<std::string, std::string> place(row["cohort"],
                                                    row["train_cohort"]);
    const std::string arm = row["arm"];
    if (arm == kNone) {
      none[place].push_back(row);
    } else {
      tables[place][arm].add(row);
    }
  }
  std::string text;
  for (auto& [place, by_arm] : tables) {
    for (auto& [arm, table] : by_arm) {
      for (const json& row : none[place]) table.add(row);
      text += render_table(arm + " on " + place.first + ", trained on " +
                               place.second + ", prompt " +
                               prompt.get<std::string>(),
                           table);
    }
  }
  if (text.empty()) return "";
  return "<h2>Dice by real and synthetic images</h2>\n"
         "<p>Columns: synthetic images in tuning, the first so many of the "
         "arm's pool; every cell made the same number of updates unless the "
         "recipe counts epochs.</p>\n" +
         text;
}

}  // namespace sono
