#pragma once
// The report's table of the comparisons that were named beforehand.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace sono {

// HTML of the section, all text escaped; "" where nothing but an endpoint that
// could not be computed was named.
std::string render_named(const nlohmann::json& summary);

// "0.013", "<0.0001".
std::string show_p(double p);

// The difference of a comparison with its interval, in Dice points, percent or
// the metric's own unit: "+1.2 [0.3, 2.1] Dice points".
std::string show_difference(const nlohmann::json& comparison);

// A sentence for each secondary comparison.
std::vector<std::string> secondary_sentences(const nlohmann::json& summary);

}  // namespace sono
