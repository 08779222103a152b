#pragma once
// Messages for people, on standard error. Only rank 0 speaks below warning.

#include <spdlog/spdlog.h>

#include <string>
#include <string_view>

namespace sono {

// Sets the level ("debug", "info", "warn", "error") and silences `info` on
// ranks other than 0. Called once by main.
void configure_log(std::string_view level, int rank);

// True when standard error is a terminal.
bool on_terminal();

}  // namespace sono
