#include "trainer/telemetry.h"

#include <charconv>

#include "core/error.h"

namespace sono {

TraceSteps TraceSteps::parse(const std::string& text) {
  if (text.empty()) return {};
  const auto number = [&](std::string_view part) {
    std::int64_t value = 0;
    const auto [end, error] =
        std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc() || end != part.data() + part.size() || value < 1) {
      throw ConfigError("--trace-steps " + text +
                        ": expected FIRST-LAST, steps counted from 1, as in "
                        "10-12");
    }
    return value;
  };
  const auto dash = text.find('-');
  const std::string_view whole = text;
  TraceSteps steps;
  steps.first = number(whole.substr(0, dash));
  steps.last =
      dash == std::string::npos ? steps.first : number(whole.substr(dash + 1));
  if (steps.any()) return steps;
  throw ConfigError("--trace-steps " + text +
                    ": the last step comes before the first");
}

}  // namespace sono
