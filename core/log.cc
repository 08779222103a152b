#include "core/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <cstdlib>

#include "core/error.h"

namespace sono {

void configure_log(std::string_view level, int rank) {
  auto logger = std::make_shared<spdlog::logger>(
      "sonoforge", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  const auto parsed = spdlog::level::from_str(std::string(level));
  if (parsed == spdlog::level::off && level != "off") {
    throw ConfigError("log level '" + std::string(level) +
                      "' is not one of debug, info, warn, error, off");
  }
  const std::string who =
      rank == 0 ? "" : "[rank " + std::to_string(rank) + "] ";
  logger->set_pattern("%H:%M:%S %L " + who + "%v");
  logger->set_level(rank == 0 ? parsed : std::max(parsed, spdlog::level::warn));
  spdlog::set_default_logger(logger);
}

void configure_log(int rank) {
  const char* level = std::getenv("SONO_LOG");
  configure_log(level ? level : "info", rank);
}

bool on_terminal() { return ::isatty(STDERR_FILENO) == 1; }

}  // namespace sono
