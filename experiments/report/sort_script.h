#pragma once
// The page's one script: clicking a column's name, or Enter or Space on it,
// sorts its table by that column; a second time turns the order round. Without
// it every table is as it was written.

#include <string_view>

namespace sono {

std::string_view sort_script();  // without its tags

}  // namespace sono
