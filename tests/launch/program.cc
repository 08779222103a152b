#include "tests/launch/program.h"

#include <sys/wait.h>

#include <cstdio>
#include <stdexcept>

namespace sono {

ProgramResult run_program(const std::string& arguments) {
  const std::string command =
      SONO_BINARY_DIR "/sonoforge " + arguments + " 2>&1 </dev/null";
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot run " + command);
  ProgramResult result;
  char buffer[4096];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) {
    result.output.append(buffer, n);
  }
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  return result;
}

}  // namespace sono
