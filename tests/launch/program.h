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

// The same, but sends the program `signal` as soon as its output holds `words`.
ProgramResult signal_program(const std::string& arguments,
                             const std::string& words, int signal);

// gtest expectations: the exit code, and that the output holds each part.
void expect_result(const std::string& arguments, int exit_code,
                   const std::vector<std::string>& parts);
void expect_result(const ProgramResult& result, int exit_code,
                   const std::vector<std::string>& parts,
                   const std::string& arguments = "");

}  // namespace sono
