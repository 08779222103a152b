#include "core/option.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

struct Config {
  int steps = 100;
  std::uint64_t seed = 1;
  double lr = 1e-4;
  bool ema = true;
  std::string schedule = "cosine";
  std::vector<int> channels = {32, 64};
  std::vector<double> scales;
  std::vector<std::string> arms = {"none"};
};

OptionTable describe(Config& config) {
  OptionTable table;
  table.add("train.steps", &config.steps, OptionKind::kResult, "updates");
  table.add("train.seed", &config.seed, OptionKind::kResult, "seed");
  table.add("train.lr", &config.lr, OptionKind::kResult, "learning rate");
  table.add("train.ema", &config.ema, OptionKind::kSpeed, "average weights");
  table.add("model.schedule", &config.schedule, OptionKind::kResult, "noise");
  table.add("model.channels", &config.channels, OptionKind::kResult, "widths");
  table.add("model.scales", &config.scales, OptionKind::kResult, "scales");
  table.add("study.arms", &config.arms, OptionKind::kPlace, "arms");
  return table;
}

TEST(OptionTable, SetsEveryType) {
  Config config;
  OptionTable table = describe(config);
  table.set("train.steps", " 7 ");
  table.set("train.seed", "18446744073709551615");
  table.set("train.lr", "3e-5");
  table.set("train.ema", "no");
  table.set("model.schedule", "linear");
  table.set("model.channels", "8, 16,24");
  table.set("model.scales", "0.5,2");
  table.set("study.arms", "none, concat");
  EXPECT_EQ(config.steps, 7);
  EXPECT_EQ(config.seed, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(config.lr, 3e-5);
  EXPECT_FALSE(config.ema);
  EXPECT_EQ(config.schedule, "linear");
  EXPECT_EQ(config.channels, (std::vector<int>{8, 16, 24}));
  EXPECT_EQ(config.scales, (std::vector<double>{0.5, 2}));
  EXPECT_EQ(config.arms, (std::vector<std::string>{"none", "concat"}));
}

TEST(OptionTable, AnUnknownNameGetsTheNearest) {
  Config config;
  OptionTable table = describe(config);
  EXPECT_ERROR(table.set("train.stpes", "7"), ConfigError, "'train.stpes'",
               "'train.steps'");
  EXPECT_ERROR(table.set("steps", "7"), ConfigError, "'train.steps'");
}

TEST(OptionTable, WrongTypesNameTheOptionAndTheValue) {
  Config config;
  OptionTable table = describe(config);
  for (const char* text : {"", "x", "7.5", "7x", "99999999999999999999"}) {
    EXPECT_ERROR(table.set("train.steps", text), ConfigError, "train.steps",
                 "'" + std::string(text) + "'");
  }
  EXPECT_ERROR(table.set("train.seed", "-1"), ConfigError, "train.seed");
  EXPECT_ERROR(table.set("train.ema", "maybe"), ConfigError, "true or false");
  EXPECT_ERROR(table.set("model.channels", "8,x"), ConfigError, "channels");
  EXPECT_EQ(config.steps, 100) << "a refused value must change nothing";
}

TEST(OptionTable, ANameIsDescribedOnce) {
  Config config;
  OptionTable table = describe(config);
  EXPECT_THROW(table.add("train.lr", &config.lr, OptionKind::kResult, "again"),
               Error);
}

TEST(OptionTable, TheIniTextHoldsEveryValueExactly) {
  Config config;
  config.lr = 0.1 + 0.2;  // needs all 17 digits
  OptionTable table = describe(config);
  const std::string ini = table.ini();
  EXPECT_NE(ini.find("[train]\nsteps = 100\n"), std::string::npos) << ini;
  EXPECT_NE(ini.find("\n[model]\nschedule = cosine\n"), std::string::npos);
  EXPECT_NE(ini.find("channels = 32,64\n"), std::string::npos) << ini;
  for (const Option& option : table.options()) {
    const std::string before = option.get();
    table.set(option.name, before);
    EXPECT_EQ(option.get(), before) << option.name;
  }
  EXPECT_EQ(config.lr, 0.1 + 0.2);
}

TEST(OptionTable, OnlyResultOptionsOfTheSectionsAreHashed) {
  Config config;
  OptionTable table = describe(config);
  const auto all = table.results();
  EXPECT_TRUE(all.contains("train.steps"));
  EXPECT_FALSE(all.contains("train.ema")) << "speed";
  EXPECT_FALSE(all.contains("study.arms")) << "place";
  const auto model = table.results({"model"});
  EXPECT_TRUE(model.contains("model.schedule"));
  EXPECT_FALSE(model.contains("train.steps"));
}

TEST(OptionTable, AnAddedResultIsHashedOnlyWhenItIsNotTheDefault) {
  Config config;
  OptionTable table = describe(config);
  int epochs = 0;
  table.add("train.epochs", &epochs, OptionKind::kAddedResult, "epochs");
  EXPECT_FALSE(table.results().contains("train.epochs"));
  table.set("train.epochs", "3");
  EXPECT_EQ(table.results().at("train.epochs"), "3");
  EXPECT_NE(table.help().find("train.epochs = 0  (result)"), std::string::npos);
}

TEST(OptionTable, AFamilyWithASectionOfItsOwnIsSaved) {
  OptionTable table;
  std::map<std::string, std::string> lists;
  table.add_family("train_list", &lists, OptionKind::kPlace, "lists");
  EXPECT_EQ(table.ini(), "");
  table.set("train_list.hc18", "names.txt");
  EXPECT_EQ(table.ini(), "[train_list]\nhc18 = names.txt\n");
}

TEST(OptionTable, HelpSaysMeaningKindAndDefault) {
  Config config;
  const std::string help = describe(config).help();
  EXPECT_NE(help.find("train.lr = 1e-04  (result)"), std::string::npos) << help;
  EXPECT_NE(help.find("learning rate"), std::string::npos);
}

TEST(NearestName, FindsTheSmallestEditDistance) {
  EXPECT_EQ(nearest_name("rnu", {"report", "run", "verify"}), "run");
  EXPECT_EQ(nearest_name("x", {}), "");
}

TEST(CheckRange, RefusesWhatLiesOutside) {
  EXPECT_NO_THROW(check_range("train.lr", 0, 0, 1));
  EXPECT_NO_THROW(check_range("train.lr", 1, 0, 1));
  EXPECT_ERROR(check_range("train.lr", 2, 0, 1), ConfigError,
               "train.lr = 2 is outside 0..1");
  EXPECT_THROW(check_range("train.lr", std::nan(""), 0, 1), ConfigError);
}

TEST(CheckChoice, NamesTheChoices) {
  EXPECT_NO_THROW(check_choice("model.schedule", "cosine", {"cosine"}));
  EXPECT_ERROR(check_choice("model.schedule", "x", {"cosine", "linear"}),
               ConfigError, "model.schedule", "cosine linear");
}

}  // namespace
}  // namespace sono
