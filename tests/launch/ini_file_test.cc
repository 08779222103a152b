#include "launch/options/ini_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/atomic_file.h"
#include "core/error.h"
#include "tests/core/expect_error.h"

namespace sono {
namespace {

class IniFileTest : public ::testing::Test {
 protected:
  IniFileTest() {
    table_.add("train.lr", &lr_, OptionKind::kResult, "learning rate");
    table_.add("train.steps", &steps_, OptionKind::kResult, "updates");
    table_.add("data.hc18", &hc18_, OptionKind::kPlace, "folder");
  }
  ~IniFileTest() override { std::filesystem::remove(path_); }

  void load(const std::string& text) {
    write_file_atomic(path_, text);
    load_ini(path_, table_);
  }

  const std::filesystem::path path_ =
      temporary_name(std::filesystem::temp_directory_path() / "recipe.ini");
  double lr_ = 1e-3;
  int steps_ = 10;
  std::string hc18_ = "none";
  OptionTable table_;
};

TEST_F(IniFileTest, ReadsSectionsCommentsAndSpaces) {
  load(
      "# a recipe\n\n[train]\n lr =  1e-4  # slow\r\n[data]\nhc18 = /a "
      "b/c=d\n");
  EXPECT_EQ(lr_, 1e-4);
  EXPECT_EQ(steps_, 10);
  EXPECT_EQ(hc18_, "/a b/c=d");
}

TEST_F(IniFileTest, ASectionMayComeTwice) {
  load("[train]\nlr = 1\n[data]\nhc18 = x\n[train]\nsteps = 7");
  EXPECT_EQ(lr_, 1);
  EXPECT_EQ(steps_, 7);
}

TEST_F(IniFileTest, TheTablesOwnTextReadsBack) {
  lr_ = 0.1 + 0.2;
  hc18_ = "";
  const std::string text = table_.ini();
  lr_ = 0;
  hc18_ = "x";
  load(text);
  EXPECT_EQ(lr_, 0.1 + 0.2);
  EXPECT_EQ(hc18_, "");
}

TEST_F(IniFileTest, ErrorsNameFileAndLine) {
  EXPECT_ERROR(load("[train]\n\nrl = 1\n"), ConfigError, "recipe.ini",
               ":3: ", "'train.rl'", "'train.lr'");
  EXPECT_ERROR(load("[train]\nlr = fast\n"), ConfigError, ":2: ", "'fast'");
  EXPECT_ERROR(load("[train]\nlr = 1\nsteps = 2\nlr = 3\n"), ConfigError,
               ":4: ", "'train.lr'", "line 2");
  EXPECT_ERROR(load("[train]\nlr\n"), ConfigError, ":2: ", "key = value");
  EXPECT_ERROR(load("[train\nlr = 1\n"), ConfigError, ":1: ", "[train");
  EXPECT_ERROR(load("lr = 1\n"), ConfigError, ":1: ", "'lr'");
}

TEST_F(IniFileTest, MissingFilesAndFoldersAreRefused) {
  EXPECT_ERROR(load_ini("none.ini", table_), ConfigError, "none.ini");
  EXPECT_ERROR(load_ini("/", table_), ConfigError, "no such config file");
}

}  // namespace
}  // namespace sono
