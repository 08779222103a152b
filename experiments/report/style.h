#pragma once

#include <string_view>

namespace sono {

// The style sheet of report.html: light and dark, wide and narrow.
std::string_view report_style();

}  // namespace sono
