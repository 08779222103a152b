#pragma once
// Messages for people, on standard error. Only rank 0 speaks below warning.

#include <string>
#include <string_view>

namespace sono {

// Sets the level ("debug", "info", "warn", "error") and silences `info` on
// ranks other than 0. Called by main, and again once the rank is known.
void configure_log(std::string_view level, int rank);

// The same with the level of the environment variable SONO_LOG, else "info".
void configure_log(int rank);

// True when standard error is a terminal.
bool on_terminal();

void log_debug(const std::string& text);
void log_info(const std::string& text);
void log_warning(const std::string& text);
void log_error(const std::string& text);

}  // namespace sono
