#pragma once
// Two arms compared on the images and seeds that both have.

#include <nlohmann/json.hpp>

#include "experiments/report/cells.h"
#include "experiments/report/summary.h"

namespace sono {

using Cells = std::map<CellKey, Cell>;

// ESTIMATE of summary.h.
nlohmann::json to_json(const Estimate& estimate);

// The endpoint, then the secondary comparisons, in the order of the options;
// COMPARISON of summary.h, or {role, status: "missing", reason}. p values are
// adjusted by Holm over these alone.
nlohmann::json compare_named(const Cells& cells, const SummaryOptions& options);

// All pairs of a treatment and a control in every cell, named ones left out.
// Not adjusted.
nlohmann::json explore(const Cells& cells, const SummaryOptions& options);

}  // namespace sono
