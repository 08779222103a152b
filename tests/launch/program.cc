#include "tests/launch/program.h"

#include <gtest/gtest.h>
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

void expect_result(const std::string& arguments, int exit_code,
                   const std::vector<std::string>& parts) {
  const ProgramResult result = run_program(arguments);
  EXPECT_EQ(result.exit_code, exit_code) << arguments << "\n" << result.output;
  for (const auto& part : parts) {
    EXPECT_NE(result.output.find(part), std::string::npos)
        << "'" << part << "' is not in what `sonoforge " << arguments
        << "` says:\n"
        << result.output;
  }
}

}  // namespace sono
