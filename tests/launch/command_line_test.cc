#include "launch/options/command_line.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

// A command with one of each kind of option.
struct Probe {
  Probe() {
    line.argument("RECIPE", &recipe, "what to run");
    line.flag("out", &out, "DIR", "where to write");
    line.flag("count", &count, "N", "how many");
    line.flag("cohort", &cohorts, "NAME=DIR", "a cohort; may be repeated");
    line.flag("watch", &watch, "", "go on for ever");
    line.config().add("train.lr", &lr, OptionKind::kResult, "learning rate");
  }
  std::string recipe, out = "runs";
  int count = 1;
  std::vector<std::string> cohorts;
  bool watch = false;
  double lr = 1e-3;
  CommandLine line{"probe RECIPE", "Tries things."};
};

TEST(CommandLine, SetsArgumentsAndFlags) {
  Probe probe;
  ASSERT_TRUE(probe.line.parse({"--out", "a b", "r.ini", "--count=3", "--watch",
                                "--cohort", "x=1", "--cohort=y=2"}));
  EXPECT_EQ(probe.recipe, "r.ini");
  EXPECT_EQ(probe.out, "a b");
  EXPECT_EQ(probe.count, 3);
  EXPECT_TRUE(probe.watch);
  EXPECT_EQ(probe.cohorts, (std::vector<std::string>{"x=1", "y=2"}));
  EXPECT_TRUE(probe.line.given("out"));
}

TEST(CommandLine, WhatIsNotGivenKeepsItsDefault) {
  Probe probe;
  ASSERT_TRUE(probe.line.parse({"r.ini"}));
  probe.line.load_config();
  EXPECT_EQ(probe.out, "runs");
  EXPECT_EQ(probe.lr, 1e-3);
  EXPECT_FALSE(probe.watch);
  EXPECT_FALSE(probe.line.given("out"));
}

TEST(CommandLine, SettingsAreAppliedInOrder) {
  Probe probe;
  ASSERT_TRUE(
      probe.line.parse({"r.ini", "--set", "train.lr=1", "--set=train.lr=0.5"}));
  probe.line.load_config();
  EXPECT_EQ(probe.lr, 0.5);
}

TEST(CommandLine, RefusesWithTheNearestName) {
  EXPECT_ERROR(Probe().line.parse({"r.ini", "--cuont", "3"}), ConfigError,
               "'--cuont'", "'--count'");
  EXPECT_ERROR(Probe().line.parse({"r.ini", "--coun=3"}), ConfigError,
               "'--coun'", "'--count'");
  EXPECT_ERROR(Probe().line.parse({"r.ini", "-o", "x"}), ConfigError, "'-o'");
}

TEST(CommandLine, RefusesWrongUse) {
  EXPECT_ERROR(Probe().line.parse({}), ConfigError, "RECIPE is missing");
  EXPECT_ERROR(Probe().line.parse({"a", "b"}), ConfigError, "'b'", "too many");
  EXPECT_ERROR(Probe().line.parse({"a", "--count"}), ConfigError, "--count");
  EXPECT_ERROR(Probe().line.parse({"a", "--count", "x"}), ConfigError,
               "--count", "'x'");
  EXPECT_ERROR(Probe().line.parse({"a", "--count=1", "--count=2"}), ConfigError,
               "--count", "2 times");
  EXPECT_ERROR(Probe().line.parse({"a", "--watch=1"}), ConfigError, "watch");
}

TEST(CommandLine, RefusesWrongSettings) {
  const auto set = [](const std::string& text) {
    Probe probe;
    probe.line.parse({"r.ini", "--set", text});
    probe.line.load_config();
  };
  EXPECT_ERROR(set("train.lr"), ConfigError, "section.key=value");
  EXPECT_ERROR(set("train.rl=1"), ConfigError, "'train.rl'", "'train.lr'");
  EXPECT_ERROR(set("train.lr=fast"), ConfigError, "train.lr", "'fast'");
}

TEST(CommandLine, WithoutConfigThereIsNoSet) {
  CommandLine line("plain", "Has no config.");
  EXPECT_EQ(line.help().find("--set"), std::string::npos);
  EXPECT_ERROR(line.parse({"--set", "a.b=1"}), ConfigError, "'--set'");
}

TEST(CommandLine, HelpNamesEverything) {
  const std::string help = Probe().line.help();
  for (const char* part :
       {"usage: sonoforge probe RECIPE", "Tries things.", "what to run",
        "--out DIR", "(default runs)", "--watch", "--set SECTION.KEY=VALUE",
        "train.lr = 0.001", "learning rate"}) {
    EXPECT_NE(help.find(part), std::string::npos) << part << " not in\n"
                                                  << help;
  }
}

}  // namespace
}  // namespace sono
