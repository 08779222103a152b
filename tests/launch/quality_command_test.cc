// `sonoforge quality` as a user calls it; it needs no weights with --no-sam.

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "tests/data/shards/temporary_folder.h"
#include "tests/launch/program.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

class QualityCommand : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    cohorts_ = new TemporaryFolder;
    make("real", 24, 1, "curved");
    make("alike", 16, 2, "curved");
    make("other", 16, 3, "portable");
    make("train", 6, 4, "curved");
  }
  static void TearDownTestSuite() { delete cohorts_; }

  static std::string in(const std::string& name) {
    return (cohorts_->path() / name).string();
  }
  // The result of a comparison with the texture space alone.
  static nlohmann::json quality(const std::string& arguments) {
    expect_result("quality --no-sam --real " + in("real") + " --out " +
                      in("out") + " " + arguments,
                  0, {"texture", "real : real", "circular"});
    return nlohmann::json::parse(
        read_file(fs::path(in("out")) / "quality.json"));
  }

 private:
  static void make(const std::string& name, int count, int seed,
                   const std::string& style) {
    expect_result("phantom --count " + std::to_string(count) + " --seed " +
                      std::to_string(seed) + " --style " + style +
                      " --set phantom.width=200 --set phantom.height=136"
                      " --out " +
                      in(name),
                  0, {});
  }

  static TemporaryFolder* cohorts_;
};

TemporaryFolder* QualityCommand::cohorts_ = nullptr;

TEST_F(QualityCommand, TellsAnotherScannerFromTheSameOne) {
  const auto kid = [](const nlohmann::json& result) {
    return result["spaces"]["texture"]["synthetic"]["kid"].get<double>();
  };
  const auto alike = quality("--synthetic " + in("alike"));
  const auto other = quality("--synthetic " + in("other"));
  EXPECT_GT(kid(other), 3 * std::abs(kid(alike)));
  EXPECT_GT(other["spaces"]["texture"]["synthetic"]["kid_low"].get<double>(),
            0);
  EXPECT_TRUE(alike["spaces"]["texture"]["synthetic"]["fid"].is_null());
  EXPECT_TRUE(alike["copies"].is_null());
}

TEST_F(QualityCommand, FindsThatTrainingImagesAreCopies) {
  const auto copies = quality("--synthetic " + in("train") + " --train " +
                              in("train"))["copies"];
  EXPECT_EQ(copies["flagged_fraction"], 1.0);
  EXPECT_EQ(copies["nearer_probability"], 1.0);
  const auto none = quality("--synthetic " + in("alike") + " --train " +
                            in("train"))["copies"];
  EXPECT_LT(none["flagged_fraction"].get<double>(), 0.2);
}

TEST_F(QualityCommand, SaysWhatIsWrong) {
  expect_result("quality --synthetic " + in("alike"), 2, {"--real"});
  expect_result("quality --real " + in("real"), 2, {"--synthetic"});
  const std::string both =
      "quality --no-sam --real " + in("real") + " --synthetic " + in("alike");
  expect_result(both + " --space vgg", 2, {"--space", "vgg"});
  expect_result(both + " --space script:" + in("none.pt"), 3, {"none.pt"});
  expect_result(both + " --subsets -1", 2, {"subsets"});
  expect_result(
      "quality --no-sam --real " + in("none") + " --synthetic " + in("alike"),
      2, {in("none")});
}

}  // namespace
}  // namespace sono
