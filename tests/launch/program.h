#pragma once
// Runs the built `sonoforge` as a user does.

#include <string>
#include <vector>

namespace sono {

struct ProgramResult {
  int exit_code = -1;
  std::string output;  // standard output and error together
};

// `arguments` as in a shell.
ProgramResult run_program(const std::string& arguments);

// gtest expectations: the exit code, and that the output holds each part.
void expect_result(const std::string& arguments, int exit_code,
                   const std::vector<std::string>& parts);

}  // namespace sono
