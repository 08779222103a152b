#pragma once
// Inline SVG drawn from the summary. Colours come from the page's style: class
// "arm-K" is the K-th arm of the palette (see arm_class).

#include <nlohmann/json.hpp>
#include <string>

#include "experiments/report/panel.h"

namespace sono {

// Dice against the number of real images, one line an arm with its intervals;
// arms that saw no real image are dashed level lines. "" when the panel holds
// no Dice.
std::string learning_curves(const Panel& panel);

// One comparison: a dot with its interval on an axis from -limit to +limit
// Dice points, zero marked.
std::string interval_bar(const nlohmann::json& estimate, double limit_points);

// The largest bound of the comparisons in Dice points, rounded up; at least 1.
double axis_limit(const nlohmann::json& summary);

// The arm's colour class, the same on every chart of the page.
std::string arm_class(const std::string& arm);

}  // namespace sono
