#include "tests/launch/program.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdio>
#include <functional>
#include <stdexcept>

namespace sono {
namespace {

// Calls `on_output` with all output so far, each time some more has come.
ProgramResult run_shell(
    const std::string& command,
    const std::function<void(const std::string&)>& on_output) {
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot run " + command);
  ProgramResult result;
  char line[4096];
  while (std::fgets(line, sizeof(line), pipe)) {
    result.output += line;
    on_output(result.output);
  }
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  return result;
}

std::string shell_command(const std::string& arguments) {
  return "exec " SONO_BINARY_DIR "/sonoforge " + arguments + " 2>&1 </dev/null";
}

}  // namespace

ProgramResult run_program(const std::string& arguments) {
  return run_shell(shell_command(arguments), [](const std::string&) {});
}

ProgramResult signal_program(const std::string& arguments,
                             const std::string& words, int signal) {
  bool sent = false;
  // The shell's process becomes the program's, so the first line is its id.
  return run_shell("echo $$; " + shell_command(arguments),
                   [&](const std::string& output) {
                     if (sent || output.find(words) == std::string::npos)
                       return;
                     sent = true;
                     ::kill(std::stoi(output), signal);
                   });
}

void expect_result(const std::string& arguments, int exit_code,
                   const std::vector<std::string>& parts) {
  expect_result(run_program(arguments), exit_code, parts, arguments);
}

void expect_result(const ProgramResult& result, int exit_code,
                   const std::vector<std::string>& parts,
                   const std::string& arguments) {
  EXPECT_EQ(result.exit_code, exit_code) << arguments << "\n" << result.output;
  for (const auto& part : parts) {
    EXPECT_NE(result.output.find(part), std::string::npos)
        << "'" << part << "' is not in what `sonoforge " << arguments
        << "` says:\n"
        << result.output;
  }
}

}  // namespace sono
