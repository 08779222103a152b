#pragma once
// The report's section on measurements in millimetres: Bland-Altman charts,
// bias and limits of agreement, by stratum, beside the reference's own floor.

#include <nlohmann/json.hpp>
#include <string>

namespace sono {

// HTML of the section, all text escaped; "" where no cell has millimetres.
// Shows the arms under the endpoint's prompt and number of real images; the
// others stand in summary.json.
std::string render_agreement(const nlohmann::json& summary);

// One chart as inline SVG: a dot an image and seed, lines at the bias and the
// limits, bands for their intervals. `row` is an entry of the summary's
// "agreement" that has "points". Dots beyond the drawing stand on its edge.
std::string agreement_chart(const nlohmann::json& row);

}  // namespace sono
