#include "tests/launch/program.h"

#include <gtest/gtest.h>

#include "launch/command.h"

namespace sono {
namespace {

TEST(Program, HelpListsEveryCommand) {
  std::vector<std::string> parts = {"usage: sonoforge COMMAND"};
  for (const Command& command : commands()) {
    parts.push_back("  " + command.name + " ");
    parts.push_back(command.summary);
  }
  expect_result("--help", 0, parts);
  expect_result("help", 0, parts);
}

TEST(Program, EveryCommandHasHelp) {
  for (const Command& command : commands()) {
    expect_result("help " + command.name, 0,
                  {"usage: sonoforge " + command.name});
    expect_result(command.name + " --help", 0, {"usage: sonoforge"});
  }
}

TEST(Program, SaysItsVersion) {
  expect_result("--version", 0, {"sonoforge 0."});
}

TEST(Program, WrongUseEndsWithTwo) {
  expect_result("", 2, {"usage:", "sonoforge: no command given"});
  expect_result("verfy x", 2,
                {"sonoforge: unknown command 'verfy'", "'verify'"});
  expect_result("help verfy", 2, {"'verify'"});
  expect_result("--hlep", 2, {"unknown command '--hlep'"});
  for (const Command& command : commands()) {
    expect_result(command.name + " --no-such-flag", 2,
                  {"unknown option '--no-such-flag'"});
  }
}

}  // namespace
}  // namespace sono
