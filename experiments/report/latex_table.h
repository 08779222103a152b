#pragma once
// The report's tables for a paper: LaTeX with the packages booktabs and
// nothing else.

#include <nlohmann/json.hpp>
#include <string>

namespace sono {

// One table environment a test cohort and prompt; `summary` is summarize()'s.
std::string latex_tables(const nlohmann::json& summary);

// Text with LaTeX's special characters made harmless.
std::string escape_latex(const std::string& text);

}  // namespace sono
