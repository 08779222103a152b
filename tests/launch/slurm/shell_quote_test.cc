#include "launch/slurm/shell_quote.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "launch/slurm/slurm_commands.h"
#include "tests/core/expect_error.h"
#include "tests/launch/slurm/nasty_names.h"

namespace sono {
namespace {

// What real bash makes of a piece of script.
std::string said_by_bash(const std::string& script) {
  const ProcessOutput output = run_process({"bash", "-uec", script});
  EXPECT_EQ(output.exit_code, 0) << script << "\n" << output.error;
  return output.out;
}

TEST(ShellWord, MeansItselfToBash) {
  for (const std::string& name : nasty_names()) {
    EXPECT_EQ(said_by_bash("printf %s " + shell_word("x", name)), name);
    EXPECT_EQ(said_by_bash("a=" + shell_word("x", name) + "\nprintf %s \"$a\""),
              name);
  }
}

TEST(ShellWord, LeavesPlainTextReadable) {
  EXPECT_EQ(shell_word("x", "/data/hc18-v1.0,b=2:c@d"),
            "/data/hc18-v1.0,b=2:c@d");
  EXPECT_EQ(shell_word("x", ""), "''");
}

TEST(ShellWord, RefusesNul) {
  EXPECT_ERROR(shell_word("option data.hc18", std::string("a\0b", 3)),
               ConfigError, "option data.hc18", "NUL");
}

TEST(ShellArray, KeepsEveryWordApart) {
  const auto names = nasty_names();
  const std::string script = "a=" + shell_array("x", names) +
                             "\nprintf '%s\\x01' \"${#a[@]}\" \"${a[@]}\"";
  std::string expected = std::to_string(names.size()) + "\x01";
  for (const std::string& name : names) expected += name + "\x01";
  EXPECT_EQ(said_by_bash(script), expected);
  EXPECT_EQ(said_by_bash("a=" + shell_array("x", {}) + "\necho ${#a[@]}"),
            "0\n");
}

// Between double quotes bash reads these as sbatch does; tests/slurm asks
// sbatch itself.
TEST(SbatchValue, IsOneWord) {
  for (const std::string& name : nasty_names()) {
    if (name.find_first_of("\n\t\x7f") != std::string::npos) {
      EXPECT_ERROR(sbatch_value("option site.account", name), ConfigError,
                   "option site.account", "#SBATCH");
    } else if (!name.empty()) {
      EXPECT_EQ(said_by_bash("printf %s " + sbatch_value("x", name)), name);
    }
  }
}

TEST(SbatchFile, TurnsReplacementsOff) {
  EXPECT_EQ(sbatch_file("--out", "/a%j/100%", "-%a.log"),
            "\"/a%%j/100%%\"-%a.log");
  EXPECT_ERROR(sbatch_file("--out", "/a\\b", ".log"), ConfigError, "--out",
               "backslash");
  EXPECT_ERROR(sbatch_file("--out", "/a\nb", ".log"), ConfigError, "--out",
               "line break");
}

}  // namespace
}  // namespace sono
