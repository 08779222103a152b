#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace sono {

// The summary for a terminal: a block a cohort and prompt, a line an arm and
// number of real images, then the endpoint. At most 110 columns of ASCII.
std::string text_table(const nlohmann::json& summary);

}  // namespace sono
