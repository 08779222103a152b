#include "experiments/report/agreement.h"

#include <algorithm>
#include <functional>

#include "experiments/metrics/score.h"
#include "experiments/report/cells.h"
#include "experiments/statistics/agreement.h"

namespace sono {
namespace {

using nlohmann::json;

struct Measure {
  const char* name;
  const char* unit;
  const char* metric;  // of a cell
};

constexpr Measure kMeasures[] = {{"hc", "mm", "hc_error_mm"},
                                 {"hc", "%", "hc_error_pct"},
                                 {"bpd", "mm", "bpd_error_mm"},
                                 {"ofd", "mm", "ofd_error_mm"}};

bool failed(const Case& row) {
  return has_status(row.status, "missed") ||
         has_status(row.status, "no_ellipse");
}

std::vector<Case> pick(std::span<const Case> cases,
                       const std::function<bool(const Case&)>& wanted) {
  std::vector<Case> picked;
  std::ranges::copy_if(cases, std::back_inserter(picked), wanted);
  return picked;
}

json to_json(const AgreementLine& line) {
  json result = {{"value", line.value}, {"low", nullptr}, {"high", nullptr}};
  if (line.interval) {
    result["low"] = line.interval->low;
    result["high"] = line.interval->high;
  }
  return result;
}

json to_json(const Agreement& found) {
  return {{"n", found.num_observations},
          {"n_exams", found.num_clusters},
          {"sd", found.sd},
          {"bias", to_json(found.bias)},
          {"lower", to_json(found.lower)},
          {"upper", to_json(found.upper)}};
}

// Observations of a metric; none when the cell lacks it.
std::span<const Observation> observations_of(const Cell& cell,
                                             const char* metric) {
  const auto found = cell.metrics.find(metric);
  if (found == cell.metrics.end()) return {};
  return found->second;
}

using Cells = std::map<CellKey, Cell>;

// Rows of one stratum (or of all cases) for every cell and the given measures.
void add_rows(std::span<const Case> cases, std::span<const Measure> measures,
              const std::string& stratum, const IntervalOptions& options,
              json& rows) {
  const Cells cells = collect_cells(cases);
  const Cells measured =
      collect_cells(pick(cases, [](const Case& row) { return !failed(row); }));
  for (const auto& [key, cell] : cells) {
    // Percent alone would be of pixels.
    if (!cell.metrics.contains("hc_error_mm")) continue;
    for (const Measure& measure : measures) {
      const auto all = observations_of(cell, measure.metric);
      if (all.empty()) continue;
      json row = to_json(bland_altman(all, options));
      row.update(to_json(key));
      row["measure"] = measure.name;
      row["unit"] = measure.unit;
      row["stratum"] = stratum;
      row["failures"] = cell.num_unmeasured;
      row["measured"] = nullptr;
      const auto kept = measured.find(key);
      if (cell.num_unmeasured > 0 && kept != measured.end()) {
        const auto good = observations_of(kept->second, measure.metric);
        if (!good.empty()) {
          row["measured"] = to_json(bland_altman(good, options));
        }
      }
      rows.push_back(std::move(row));
    }
  }
}

// By the smallest reference circumference in each.
std::vector<std::string> strata_of(std::span<const Case> cases) {
  std::map<std::string, double> least;
  for (const Case& row : cases) {
    if (row.stratum.empty() || !row.hc_reference_mm) continue;
    const auto known = least.emplace(row.stratum, *row.hc_reference_mm).first;
    known->second = std::min(known->second, *row.hc_reference_mm);
  }
  std::vector<std::string> strata;
  for (const auto& [stratum, hc] : least) strata.push_back(stratum);
  std::ranges::sort(strata, {}, [&](const std::string& stratum) {
    return least.at(stratum);
  });
  return strata;
}

}  // namespace

json summarize_agreement(std::span<const Case> cases,
                         const IntervalOptions& options) {
  json rows = json::array();
  add_rows(cases, kMeasures, "", options, rows);
  for (const std::string& stratum : strata_of(cases)) {
    const auto inside =
        pick(cases, [&](const Case& row) { return row.stratum == stratum; });
    add_rows(inside, std::span(kMeasures).first(1), stratum, options, rows);
  }
  return rows;
}

json summarize_floor(std::span<const Case> cases,
                     const IntervalOptions& options) {
  // Every arm has the same references: one observation an image.
  std::map<std::string, std::map<std::string, Observation>> cohorts;
  for (const Case& row : cases) {
    if (!row.hc_floor_pct) continue;
    cohorts[row.cohort][row.image] = {cluster_of(row), "", row.image,
                                      *row.hc_floor_pct};
  }
  json floors = json::object();
  for (const auto& [cohort, images] : cohorts) {
    std::vector<Observation> observations;
    for (const auto& [image, observation] : images) {
      observations.push_back(observation);
    }
    floors[cohort] = to_json(bland_altman(observations, options));
  }
  return floors;
}

json agreement_points(std::span<const Case> cases) {
  struct Point {
    double mean = 0, difference = 0, count = 0;
    bool failed = false;
  };
  std::string first;
  if (!cases.empty()) {
    first = seed_of(*std::ranges::min_element(cases, {}, seed_of));
  }
  std::map<std::string, Point> points;  // by image
  for (const Case& row : cases) {
    if (!row.hc_mm || !row.hc_reference_mm || seed_of(row) != first) continue;
    Point& point = points[row.image];
    point.mean += (*row.hc_mm + *row.hc_reference_mm) / 2;
    point.difference += *row.hc_mm - *row.hc_reference_mm;
    ++point.count;
    point.failed = point.failed || failed(row);
  }
  json list = json::array();
  for (const auto& [image, point] : points) {
    list.push_back({point.mean / point.count, point.difference / point.count,
                    point.failed});
  }
  return list;
}

}  // namespace sono
