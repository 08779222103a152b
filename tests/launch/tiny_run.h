#pragma once
// A recipe that takes seconds, on a cohort of four small phantoms.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/data/shards/temporary_folder.h"

namespace sono {

// Skips its tests where the segmenter's weights are not installed.
class TinyRun : public ::testing::Test {
 protected:
  static void SetUpTestSuite();  // makes the cohort, once
  static void TearDownTestSuite();
  void SetUp() override;

  // A path in this test's own folder.
  std::string in(const std::string& name) const;
  // A copy of the cohort in this test's own folder.
  std::string copy_cohort(const std::string& name) const;
  // Arguments of `run`: the recipe, and folder `out` of this test.
  std::string run(const std::string& out, const std::string& more = "") const;

 private:
  static TemporaryFolder* cohort_;
  TemporaryFolder folder_;
};

}  // namespace sono
