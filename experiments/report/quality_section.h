#pragma once
// The report's section on the quality of synthetic images.

#include <nlohmann/json.hpp>
#include <string>

namespace sono {

// HTML of the section, all text escaped; empty when `quality`, the outputs of
// the quality stage, is null or empty.
std::string render_quality(const nlohmann::json& quality);

}  // namespace sono
