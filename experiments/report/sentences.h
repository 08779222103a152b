#pragma once
// What the numbers say, in plain words, made from the summary alone. An
// interval that crosses zero is called that; nothing is left out for being
// dull or unwelcome.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace sono {

// The endpoint first, then what boxes drawn from the truth give away, then the
// exploratory comparisons counted, then failures. Plain text.
std::vector<std::string> verdict_sentences(const nlohmann::json& summary);

}  // namespace sono
