// `sonoforge submit --dry-run` as users call it.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "core/atomic_file.h"
#include "tests/data/shards/temporary_folder.h"
#include "tests/launch/program.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// Without a site file of who runs the tests.
class SubmitCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file_atomic(folder_.path() / "site.ini", "");
    ::setenv("SONO_SITE", (folder_.path() / "site.ini").c_str(), 1);
  }
  void TearDown() override { ::unsetenv("SONO_SITE"); }
  fs::path run() const { return folder_.path() / "run"; }
  std::string submit(const std::string& more) const {
    return "submit " SONO_SOURCE_DIR
           "/experiments/quickstart.ini --dry-run "
           "--out " +
           run().string() + more;
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(SubmitCommand, WritesTheChainAndNothingElse) {
  expect_result(submit(" --nodes 2"), 0,
                {"1-generators", "5-report", "nothing was submitted"});
  for (const char* file :
       {"1-generators.sbatch", "2-datasets.sbatch", "3-tuning.sbatch",
        "4-evaluation.sbatch", "5-report.sbatch", "job.sh", "recipe.ini"}) {
    EXPECT_TRUE(fs::exists(run() / "slurm" / file)) << file;
  }
  EXPECT_FALSE(fs::exists(run() / "slurm" / "submission.json"));
  EXPECT_NE(
      read_file(run() / "slurm" / "recipe.ini").find("synthetic_count = 16"),
      std::string::npos);
}

TEST_F(SubmitCommand, RefusesWhatJobsCouldNotDo) {
  expect_result(submit(" --nodes 99"), 2, {"segment.lanes", "99"});
  expect_result(submit(" --nodes 0"), 2, {"--nodes"});
  expect_result(submit(" --site none.ini"), 2, {"none.ini"});
  expect_result(submit(" --set place.cache='/a#b'"), 2,
                {"option place.cache", "#"});
  expect_result(submit(" --set place.cache='/a\nb'"), 2,
                {"option place.cache", "line break"});
  expect_result(submit(" --time '1\n2'"), 2, {"--time"});
  expect_result(submit("\"$(printf 'x\\ny')\""), 2, {"--out"});
}

TEST_F(SubmitCommand, FilesFollowTheUmask) {
  const auto mask = ::umask(027);
  expect_result(submit(""), 0, {});
  ::umask(mask);
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(run())) {
    const auto others = fs::perms::others_all | fs::perms::group_write;
    EXPECT_EQ(entry.status().permissions() & others, fs::perms::none)
        << entry.path();
    ++files;
  }
  EXPECT_GE(files, 7);
}

}  // namespace
}  // namespace sono
