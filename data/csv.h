#pragma once
// Comma-separated values as RFC 4180 has them.

#include <string>
#include <string_view>
#include <vector>

namespace sono {

// Quotes the field when it holds a comma, a quote or a line break.
std::string quote_csv(std::string_view field);

// Rows of fields; accepts LF and CRLF. A last line without a break counts.
// Throws DataError, naming `name` and the row, on a stray or open quote.
std::vector<std::vector<std::string>> parse_csv(std::string_view text,
                                                const std::string& name);

// The shortest text that reads back as the same double; "nan", "inf", "-inf".
std::string format_double(double value);

}  // namespace sono
