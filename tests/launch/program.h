#pragma once
// Runs the built `sonoforge` as a user does.

#include <string>

namespace sono {

struct ProgramResult {
  int exit_code = -1;
  std::string output;  // standard output and error together
};

// `arguments` as in a shell.
ProgramResult run_program(const std::string& arguments);

}  // namespace sono
